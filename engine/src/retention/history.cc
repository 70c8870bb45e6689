// Runs as documents: their numbers, what they found, and which of them are remembered.
#include "retention/rooms.h"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <charconv>
#include <cstdio>

namespace orbitalreg::engine {

namespace json = boost::json;

namespace {

const std::string kState = "retention/state";
const std::string kRunPrefix = "retention/run/";
constexpr std::uint32_t kForgottenAtOnce = 100;

std::string digits(std::uint64_t number, int width) {
    char text[24];
    std::snprintf(text, sizeof text, "%0*llu", width, static_cast<unsigned long long>(number));
    return text;
}

std::vector<std::byte> bytes_of(const json::object& object) {
    const auto text = json::serialize(object);
    const auto bytes = as_bytes(text);
    return {bytes.begin(), bytes.end()};
}

std::optional<json::object> object_of(const std::vector<std::byte>& bytes) {
    boost::system::error_code error;
    const auto text = as_text(bytes);
    auto value = json::parse({text.data(), text.size()}, error);
    if (error || !value.is_object()) return std::nullopt;
    return std::move(value.get_object());
}

std::uint64_t number_of(const json::object& object, std::string_view name) {
    const auto* value = object.if_contains({name.data(), name.size()});
    if (value == nullptr) return 0;
    boost::system::error_code error;
    const auto number = value->to_number<std::uint64_t>(error);
    return error ? 0 : number;
}

}  // namespace

std::string run_text(std::uint64_t number) { return "r-" + std::to_string(number); }

std::optional<std::uint64_t> parse_run(const std::string& text) {
    if (!text.starts_with("r-")) return std::nullopt;
    std::uint64_t number = 0;
    const auto* const end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data() + 2, end, number);
    if (error != std::errc{} || at != end || number == 0) return std::nullopt;
    return number;
}

std::string run_document(std::uint64_t number) { return kRunPrefix + digits(number, 10); }

std::string trash_prefix(std::uint64_t number) {
    return "retention/trash/" + digits(number, 10) + '/';
}

// The state: the number of the last run, and when in store time it was.
Awaitable<Answer<std::uint64_t>> Retention::Rooms::next_number() {
    constexpr int kTries = 8;
    for (int attempt = 0; attempt < kTries; ++attempt) {
        const auto known = co_await documents.get(kState);
        if (!known && known.error().code != Errc::document_unknown) co_return refuse(known.error());
        auto expected = DocumentExpectation::absent();
        json::object state;
        if (known) {
            expected = DocumentExpectation::at_version(known.value().version);
            state = object_of(known.value().bytes).value_or(json::object{});
        }
        const auto number = number_of(state, "run") + 1;
        state["run"] = number;
        state["now_s"] = store.now_s();
        DocumentWrite write{kState, bytes_of(state), expected, 0};
        const auto written = co_await documents.put(new_request(), std::move(write));
        if (written) co_return number;
        const bool again = written.error().code == Errc::precondition_failed ||
                           written.error().code == Errc::exists;
        if (!again) co_return refuse(written.error());
    }
    co_return refuse(Errc::overloaded);
}

Awaitable<Answer<void>> Retention::Rooms::check_clock(bool confirmed) {
    const auto known = co_await documents.get(kState);
    if (!known && known.error().code == Errc::document_unknown) co_return ok();
    if (!known) co_return refuse(known.error());
    const auto state = object_of(known.value().bytes).value_or(json::object{});
    const auto last_s = number_of(state, "now_s");
    const auto now_s = static_cast<std::uint64_t>(store.now_s());
    const auto jump_s = static_cast<std::uint64_t>(current_options().max_clock_jump_ms / 1000);
    const bool back = now_s < last_s;
    const bool ahead = !back && now_s - last_s > jump_s;
    if (confirmed || (!back && !ahead)) co_return ok();
    const std::string what = back ? "the clock is before the last run"
                                  : "the last run was longer ago than max_clock_jump";
    co_return refuse({Errc::precondition_failed, what + ": confirm that this is right"});
}

Awaitable<Answer<void>> Retention::Rooms::write_run(std::uint64_t number, json::object report) {
    DocumentWrite write{run_document(number), bytes_of(report), DocumentExpectation::anything(), 0};
    const auto written = co_await documents.put(new_request(), std::move(write));
    if (!written) co_return refuse(written.error());
    co_return ok();
}

Awaitable<Answer<json::object>> Retention::Rooms::read_run(std::uint64_t number) {
    const auto known = co_await documents.get(run_document(number));
    if (!known) co_return refuse(known.error());
    auto report = object_of(known.value().bytes);
    if (!report) co_return refuse(Errc::document_unknown);
    const auto* state = report->if_contains("state");
    const bool says_running =
        state != nullptr && state->is_string() && state->get_string() == "running";
    if (says_running) {
        std::scoped_lock lock{mutex};
        // Its process went before it ended.
        if (!running.contains(number)) (*report)["state"] = "interrupted";
    }
    co_return std::move(*report);
}

Awaitable<void> Retention::Rooms::forget_old_runs(std::uint64_t newest) {
    if (newest <= kRunsKept) co_return;
    const auto page = co_await documents.list(kRunPrefix, {}, kForgottenAtOnce);
    if (!page) co_return;
    const auto oldest_kept = run_document(newest - kRunsKept + 1);
    for (const auto& document : page.value().documents) {
        if (document.name >= oldest_kept) co_return;
        const auto removed = co_await documents.remove(new_request(), document.name,
                                                       DocumentExpectation::anything());
        if (!removed) co_return;
    }
}

Awaitable<Answer<std::string>> Retention::find_run(std::string run) {
    const auto number = parse_run(run);
    if (!number) co_return refuse(Errc::document_unknown);
    const auto report = co_await rooms_->read_run(*number);
    if (!report) co_return refuse(report.error());
    co_return json::serialize(report.value());
}

// There are at most kRunsKept, and a few that are about to be forgotten.
Awaitable<Answer<std::string>> Retention::runs(std::uint64_t before, std::uint32_t count) {
    const auto page = co_await rooms_->documents.list(kRunPrefix, {}, 2 * kRunsKept);
    if (!page) co_return refuse(page.error());
    json::array items;
    const auto& found = page.value().documents;
    bool more = false;
    for (auto document = found.rbegin(); document != found.rend(); ++document) {
        if (before != 0 && document->name >= run_document(before)) continue;
        if (items.size() >= count) {
            more = true;
            break;
        }
        std::uint64_t number = 0;
        const auto text = document->name.substr(kRunPrefix.size());
        std::from_chars(text.data(), text.data() + text.size(), number);
        auto report = co_await rooms_->read_run(number);
        if (!report) continue;
        report.value().erase("items");
        report.value().erase("images");
        items.push_back(std::move(report).value());
    }
    co_return json::serialize(json::object{{"items", std::move(items)}, {"more", more}});
}

}  // namespace orbitalreg::engine
