#include "sim/script.h"

#include "cas/errors.h"
#include "sim/requests.h"
#include "sim/uploads.h"

#include <array>
#include <charconv>
#include <optional>
#include <span>

namespace orbitalreg::sim {
namespace {

using StepKind = ScriptStep::Kind;
using Kind = Operation::Kind;

constexpr std::size_t kStepsPerScriptMax = 100;

// What the words behind a step's name mean.
enum class Word : std::uint8_t {
    image,
    source,
    blob,
    manifest,
    tag,
    session,
    document,
    value,
    amount
};

struct StepForm {
    std::string_view name;
    StepKind step;
    Kind request = Kind::read_tag;
    bool wrong = false;
    std::vector<Word> words = {};
};

const std::vector<StepForm>& step_forms() {
    static const std::vector<StepForm> forms{
        {"push", StepKind::push, {}, false, {Word::image, Word::blob}},
        {"push_wrong", StepKind::push, {}, true, {Word::image, Word::blob}},
        {"session", StepKind::session, {}, false, {Word::session, Word::image, Word::blob}},
        {"send", StepKind::send, {}, false, {Word::session, Word::amount}},
        {"mark", StepKind::mark, {}, false, {Word::session}},
        {"finish", StepKind::finish, {}, false, {Word::session}},
        {"finish_wrong", StepKind::finish, {}, true, {Word::session}},
        {"cancel", StepKind::cancel, {}, false, {Word::session}},
        {"drop", StepKind::drop, {}, false, {Word::session}},
        {"mount", StepKind::request, Kind::mount, false, {Word::image, Word::blob, Word::source}},
        {"delete_link", StepKind::request, Kind::delete_link, false, {Word::image, Word::blob}},
        {"put",
         StepKind::request,
         Kind::put_manifest,
         false,
         {Word::image, Word::manifest, Word::tag}},
        {"tag", StepKind::request, Kind::set_tag, false, {Word::image, Word::tag, Word::manifest}},
        {"untag", StepKind::request, Kind::delete_tag, false, {Word::image, Word::tag}},
        {"delete", StepKind::request, Kind::delete_manifest, false, {Word::image, Word::manifest}},
        {"document", StepKind::request, Kind::put_document, false, {Word::document, Word::value}},
        {"remove_document", StepKind::request, Kind::remove_document, false, {Word::document}},
        {"read_tag", StepKind::request, Kind::read_tag, false, {Word::image, Word::tag}},
        {"read", StepKind::request, Kind::read_link, false, {Word::image, Word::blob}},
        {"head", StepKind::request, Kind::head_link, false, {Word::image, Word::blob}},
        {"collect", StepKind::collect},
        {"compact", StepKind::compact},
        {"checkpoint", StepKind::checkpoint},
        {"wait", StepKind::wait, {}, false, {Word::amount}},
        {"stop", StepKind::stop},
        {"kill", StepKind::kill},
    };
    return forms;
}

std::vector<std::string_view> words_of(std::string_view line) {
    line = line.substr(0, line.find('#'));
    std::vector<std::string_view> words;
    while (true) {
        const std::size_t begin = line.find_first_not_of(" \t");
        if (begin == std::string_view::npos) return words;
        const std::size_t end = line.find_first_of(" \t", begin);
        words.push_back(line.substr(begin, end - begin));
        if (end == std::string_view::npos) return words;
        line = line.substr(end);
    }
}

std::optional<std::uint64_t> number_of(std::string_view word) {
    if (word == "all") return ~std::uint64_t{0};
    std::uint64_t number = 0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
    if (error != std::errc{} || end != word.data() + word.size()) return std::nullopt;
    return number;
}

std::uint64_t limit_of(Word word) noexcept {
    switch (word) {
        case Word::image:
        case Word::source:
            return Universe::kImages;
        case Word::blob:
            return Universe::kBlobs;
        case Word::manifest:
            return Universe::kManifests;
        case Word::tag:
            return Universe::kTags;
        case Word::session:
            return WorldState::kSessions;
        case Word::document:
            return Universe::kDocuments;
        case Word::value:
            return Universe::kDocumentValues;
        case Word::amount:
            break;
    }
    return ~std::uint64_t{0};
}

void set(ScriptStep& step, Word word, std::uint64_t number) noexcept {
    Operation& operation = step.operation;
    switch (word) {
        case Word::image:
            operation.image = static_cast<std::uint8_t>(number);
            break;
        case Word::source:
            operation.source = static_cast<std::uint8_t>(number);
            break;
        case Word::blob:
            operation.blob = static_cast<std::uint8_t>(number);
            break;
        case Word::manifest:
            operation.manifest = static_cast<std::uint8_t>(number);
            break;
        case Word::tag:
            operation.tag = static_cast<std::int8_t>(number);
            break;
        case Word::session:
            operation.session = static_cast<std::int8_t>(number);
            break;
        case Word::document:
            operation.document = static_cast<std::uint8_t>(number);
            break;
        case Word::value:
            operation.value = static_cast<std::uint8_t>(number);
            break;
        case Word::amount:
            step.amount = number;
            break;
    }
}

std::optional<ScriptStep> parse_step(std::span<const std::string_view> words) {
    ScriptStep step;
    if (words.front() == "&") {
        step.together = true;
        words = words.subspan(1);
        if (words.empty()) return std::nullopt;
    }
    for (const StepForm& form : step_forms()) {
        if (form.name != words.front()) continue;
        if (form.words.size() + 1 != words.size()) return std::nullopt;
        step.kind = form.step;
        step.operation.kind = form.request;
        step.wrong = form.wrong;
        for (std::size_t i = 0; i < form.words.size(); ++i) {
            if (form.words[i] == Word::tag && words[i + 1] == "-") continue;  // stays -1
            const auto number = number_of(words[i + 1]);
            const bool fits =
                number && (form.words[i] == Word::amount || *number < limit_of(form.words[i]));
            if (!fits) return std::nullopt;
            set(step, form.words[i], *number);
        }
        return step;
    }
    return std::nullopt;
}

// False when the words are none of a script's settings.
bool parse_setting(std::span<const std::string_view> words, Script& script) {
    if (words.size() != 2) return false;
    const auto number = number_of(words[1]);
    if (!number || *number > 1'000'000) return false;
    if (words[0] == "segment") {
        script.segment_bytes = *number * 1_KiB;
        return true;
    }
    if (words[0] == "grace") {
        script.grace_ms = *number;
        return true;
    }
    if (words[0] == "lane") {
        script.lane_bytes = *number * 1_KiB;
        return true;
    }
    return false;
}

}  // namespace

Result<std::vector<Script>> parse_scripts(std::string_view text, std::string& complaint) {
    std::vector<Script> scripts;
    std::size_t number = 0;
    while (!text.empty()) {
        const std::size_t end = text.find('\n');
        const std::string_view line = text.substr(0, end);
        text = end == std::string_view::npos ? std::string_view{} : text.substr(end + 1);
        ++number;
        const auto words = words_of(line);
        if (words.empty()) continue;
        if (words[0] == "script" && words.size() == 2) {
            scripts.emplace_back().name = words[1];
            continue;
        }
        if (!scripts.empty() && parse_setting(words, scripts.back())) continue;
        const auto step = parse_step(words);
        if (scripts.empty() || !step || scripts.back().steps.size() == kStepsPerScriptMax) {
            complaint = "line " + std::to_string(number) + ": " + std::string{line};
            return fail(cas::Errc::bad_format);
        }
        scripts.back().steps.push_back(*step);
    }
    return scripts;
}

SimSession* ScriptRun::session_of(Life& life, const ScriptStep& step) {
    const auto slot = static_cast<std::size_t>(step.operation.session);
    for (SimSession& session : life.world.sessions) {
        if (session.slot == slot && !session.retired) return &session;
    }
    return nullptr;
}

Awaitable<void> ScriptRun::perform_upload(Life& life, const ScriptStep& step) {
    SimSession* const session = session_of(life, step);
    if (session == nullptr) co_return;
    const SimBlob& content = life.world.universe.blobs[session->blob];
    std::unique_ptr<engine::UploadWriter>& writer = writers_[step.operation.session];
    if (step.kind == StepKind::drop) {
        writer.reset();
        co_return;
    }
    if (step.kind == StepKind::cancel) {
        co_await cancel(life, *session, std::move(writer));
        co_return;
    }
    if (writer == nullptr) {
        writer = co_await resume(life, *session, content.digest.algorithm(), content.bytes.size());
        if (writer == nullptr) co_return;
    }
    const std::uint64_t left = content.bytes.size() - writer->offset();
    bool well = true;
    if (step.kind == StepKind::send) {
        const std::uint64_t end = writer->offset() + std::min(step.amount, left);
        well = co_await send(life, *writer, content, end, session);
    } else if (step.kind == StepKind::mark) {
        well = co_await mark(life, *writer, *session);
    } else {
        co_await finish(life, *writer, {session->image, session->blob, step.wrong}, session);
        well = !session->retired;
    }
    if (!well) writer.reset();
}

Awaitable<void> ScriptRun::perform(Life& life, const ScriptStep& step) {
    const Operation& operation = step.operation;
    switch (step.kind) {
        case StepKind::request:
            if (reads(operation.kind)) {
                co_await run_read(life, operation);
            } else {
                ClientState client;
                co_await run_request(life, client, operation);
            }
            break;
        case StepKind::push:
            co_await push_at_once(life, {operation.image, operation.blob, true, step.wrong});
            break;
        case StepKind::session: {
            SimSession session;
            life.world.random.fill(session.id);
            session.issued_store_time_s = life.store.store_time_ms() / 1000;
            session.slot = static_cast<std::size_t>(operation.session);
            session.image = operation.image;
            session.blob = operation.blob;
            life.world.sessions.push_back(session);
            break;
        }
        case StepKind::collect:
            static_cast<void>(co_await life.blobs.collection().run(false, nullptr));
            break;
        case StepKind::checkpoint:
            static_cast<void>(co_await life.blobs.make_checkpoint());
            break;
        case StepKind::compact:
            static_cast<void>(co_await life.blobs.compact());
            break;
        case StepKind::wait:
            co_await life.clock.sleep_until(life.clock.steady_ns() +
                                            static_cast<std::int64_t>(step.amount) * 1'000'000);
            break;
        default:
            co_await perform_upload(life, step);
            break;
    }
}

Awaitable<void> ScriptRun::perform_and_count(Life& life, const ScriptStep& step) {
    ++life.world.operations;
    co_await perform(life, step);
    --running_;
}

bool ScriptRun::begin(Life& life) {
    if (at_end()) return false;
    const StepKind kind = script_.steps[position_].kind;
    if (kind == StepKind::stop || kind == StepKind::kill) return false;
    while (!at_end()) {
        const ScriptStep& step = script_.steps[position_++];
        ++running_;
        asio::co_spawn(life.scheduler.executor(), perform_and_count(life, step), asio::detached);
        if (!step.together) break;
    }
    return true;
}

bool ScriptRun::leave() { return script_.steps[position_++].kind == StepKind::stop; }

}  // namespace orbitalreg::sim
