#include "auth/key_ring.h"

#include "auth/private_file.h"
#include "auth/strict_json.h"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <system_error>

namespace orbitalreg::frontend {
namespace {

namespace json = boost::json;

constexpr std::int64_t kLookAgainNs = 10'000'000'000;
constexpr std::size_t kStateDepthMax = 8;

// The members of a public key with those that say what it is for.
std::string published_jwk(const SigningKey& key) {
    auto object = json::parse(key.public_key().jwk()).get_object();
    object["kid"] = key.public_key().thumbprint();
    object["use"] = "sig";
    object["alg"] = to_string(key.algorithm());
    return json::serialize(object);
}

std::string text_member(const json::object& object, std::string_view name) {
    const auto* value = object.if_contains(name);
    return value != nullptr && value->is_string() ? std::string{value->get_string()}
                                                  : std::string{};
}

std::vector<KeyState> read_states(std::string_view text) {
    std::vector<KeyState> states;
    const auto value = parse_strict_json(text, kStateDepthMax);
    const auto* keys =
        value && value->is_object() ? value->get_object().if_contains("keys") : nullptr;
    if (keys == nullptr || !keys->is_array()) return states;
    for (const auto& each : keys->get_array()) {
        if (!each.is_object()) return {};
        const auto& object = each.get_object();
        const auto* since = object.if_contains("since");
        states.push_back({text_member(object, "kid"), text_member(object, "state"),
                          since != nullptr && since->is_int64() ? since->get_int64() : 0});
    }
    return states;
}

}  // namespace

std::string KeyRing::path_of(const std::string& id) const {
    return options_.folder + '/' + id + ".pem";
}

KeyRing::Held* KeyRing::find(std::string_view state) {
    const auto found = std::find_if(held_.begin(), held_.end(),
                                    [&](const Held& each) { return each.facts.state == state; });
    return found == held_.end() ? nullptr : &*found;
}

std::string KeyRing::open() {
    const std::lock_guard lock{mutex_};
    if (auto trouble = make_private_folder(options_.folder); !trouble.empty()) return trouble;
    if (auto trouble = load(); !trouble.empty()) return trouble;
    if (find("active") == nullptr) {
        if (auto trouble = add("active"); !trouble.empty()) return trouble;
        if (auto trouble = save(); !trouble.empty()) return trouble;
    }
    publish();
    return {};
}

std::string KeyRing::load() {
    const auto list = options_.folder + "/keys.json";
    if (!std::filesystem::exists(list)) return {};
    const auto text = read_private_file(list);
    if (!text.trouble.empty()) return text.trouble;
    std::vector<Held> held;
    for (auto& state : read_states(text.content)) {
        // The id becomes a file's name: it is a thumbprint, nothing else.
        const bool named = !state.id.empty() && state.id.find_first_of("/.") == state.id.npos;
        const bool known =
            state.state == "next" || state.state == "active" || state.state == "retiring";
        if (!named || !known) return list + ": names a key that is none";
        const auto pem = read_private_file(path_of(state.id));
        if (!pem.trouble.empty()) return pem.trouble;
        const auto key = SigningKey::from_pem(pem.content);
        if (!key || key->public_key().thumbprint() != state.id)
            return path_of(state.id) + ": is not the key that its name says";
        held.push_back({std::move(state), *key});
    }
    const auto count = [&](std::string_view state) {
        return std::count_if(held.begin(), held.end(),
                             [&](const Held& each) { return each.facts.state == state; });
    };
    if (count("active") != 1 || count("next") > 1)
        return list + ": lists not one key that signs, and perhaps a next one";
    held_ = std::move(held);
    return {};
}

std::string KeyRing::save() const {
    json::array keys;
    for (const auto& each : held_) {
        keys.push_back(json::object{
            {"kid", each.facts.id}, {"state", each.facts.state}, {"since", each.facts.since_s}});
    }
    return write_private_file(options_.folder + "/keys.json",
                              json::serialize(json::object{{"keys", std::move(keys)}}) + '\n');
}

// What cannot be written has not happened: else a key would sign that the next start does not know, or a file be gone that it
// looks for.
bool KeyRing::save_or_restore(std::vector<Held> before, std::string& trouble) {
    trouble = save();
    if (trouble.empty()) return true;
    held_ = std::move(before);
    return false;
}

std::string KeyRing::add(std::string state) {
    auto key = SigningKey::generate(options_.algorithm);
    if (!key) return "no key could be made";
    KeyState facts{key->public_key().thumbprint(), std::move(state), now_s()};
    if (auto trouble = write_private_file(path_of(facts.id), key->to_pem()); !trouble.empty())
        return trouble;
    held_.push_back({std::move(facts), std::move(*key)});
    return {};
}

void KeyRing::publish() {
    const auto* active = find("active");
    if (active == nullptr) return;
    KeySet set{active->key, {}, R"({"keys":[)"};
    for (const auto& each : held_) {
        if (!set.verifying.empty()) set.jwks += ',';
        set.verifying.emplace(each.facts.id, each.key.public_key());
        set.jwks += published_jwk(each.key);
    }
    set.jwks += "]}";
    published_ = std::make_shared<const KeySet>(std::move(set));
}

std::shared_ptr<const KeySet> KeyRing::keys() const {
    const std::lock_guard lock{mutex_};
    return published_;
}

std::vector<KeyState> KeyRing::states() const {
    const std::lock_guard lock{mutex_};
    std::vector<KeyState> states;
    for (const auto& each : held_) states.push_back(each.facts);
    return states;
}

bool KeyRing::advance(std::string& trouble) {
    const std::lock_guard lock{mutex_};
    auto before = held_;
    const auto now = now_s();
    bool changed = false;
    const auto* active = find("active");
    const auto age = active == nullptr ? 0 : now - active->facts.since_s;
    if (options_.rotate_every_s > 0 && find("next") == nullptr &&
        age >= options_.rotate_every_s - options_.publish_before_s) {
        trouble = add("next");
        changed = trouble.empty();
    }
    auto* next = find("next");
    if (next != nullptr && now - next->facts.since_s >= options_.publish_before_s) {
        find("active")->facts = {find("active")->facts.id, "retiring", now};
        next->facts = {next->facts.id, "active", now};
        changed = true;
    }
    std::vector<std::string> gone;
    std::erase_if(held_, [&](const Held& each) {
        const bool over =
            each.facts.state == "retiring" && now - each.facts.since_s >= options_.keep_retired_s;
        if (over) gone.push_back(each.facts.id);
        return over;
    });
    if (!changed && gone.empty()) return false;
    if (!save_or_restore(std::move(before), trouble)) return false;
    for (const auto& id : gone) std::remove(path_of(id).c_str());
    publish();
    return true;
}

std::string KeyRing::rotate(bool at_once, std::string& trouble) {
    const std::lock_guard lock{mutex_};
    auto before = held_;
    auto* next = find("next");
    if (next == nullptr) {
        trouble = add("next");
        if (!trouble.empty()) return {};
        next = find("next");
    }
    const auto id = next->facts.id;
    if (at_once) {
        find("active")->facts = {find("active")->facts.id, "retiring", now_s()};
        next->facts = {id, "active", now_s()};
    }
    if (!save_or_restore(std::move(before), trouble)) return {};
    publish();
    return id;
}

bool KeyRing::look_again(std::string_view key_id) {
    const std::lock_guard lock{mutex_};
    if (published_ && published_->verifying.contains(key_id)) return true;
    const auto now = clock_.steady_ns();
    if (looked_ns_ != 0 && now - looked_ns_ < kLookAgainNs) return false;
    looked_ns_ = now;
    if (!load().empty()) return false;
    publish();
    return published_->verifying.contains(key_id);
}

}  // namespace orbitalreg::frontend
