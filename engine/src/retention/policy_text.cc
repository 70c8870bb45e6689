// Policies as people write them: YAML, read strictly.
#include "retention/policy.h"

#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <functional>
#include <initializer_list>
#include <set>
#include <sstream>

namespace orbitalreg::engine {

namespace {

constexpr std::uint64_t kHour = 3600;
constexpr std::uint64_t kDay = 24 * kHour;
constexpr std::uint64_t kWeek = 7 * kDay;
constexpr std::uint64_t kNumberMax = 100'000'000;
constexpr std::size_t kNameMax = 63;
constexpr std::size_t kPatternsMax = 200;
constexpr std::size_t kDepthMax = 16;

// Finds what makes a small text a large tree: anchors, and more depth than policies have.
class ShapeOfText final : public YAML::EventHandler {
public:
    std::optional<PolicyFinding> found;

    void OnDocumentStart(const YAML::Mark&) override {}
    void OnDocumentEnd() override {}
    void OnNull(const YAML::Mark& mark, YAML::anchor_t anchor) override { look(mark, anchor); }
    void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override { look(mark, 1); }
    void OnScalar(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                  const std::string&) override {
        look(mark, anchor);
    }
    void OnSequenceStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                         YAML::EmitterStyle::value) override {
        enter(mark, anchor);
    }
    void OnSequenceEnd() override { --depth_; }
    void OnMapStart(const YAML::Mark& mark, const std::string&, YAML::anchor_t anchor,
                    YAML::EmitterStyle::value) override {
        enter(mark, anchor);
    }
    void OnMapEnd() override { --depth_; }

private:
    void look(const YAML::Mark& mark, YAML::anchor_t anchor) {
        if (anchor != 0 && !found)
            found = {{}, mark.line + 1, {}, "anchors and aliases are not taken"};
    }
    void enter(const YAML::Mark& mark, YAML::anchor_t anchor) {
        look(mark, anchor);
        if (++depth_ > kDepthMax && !found) found = {{}, mark.line + 1, {}, "is nested too deep"};
    }

    std::size_t depth_ = 0;
};

std::string join(const std::string& path, const std::string& key) {
    return path.empty() ? key : path + '.' + key;
}
std::string element(const std::string& path, std::size_t index) {
    return path + '[' + std::to_string(index) + ']';
}

std::optional<std::uint64_t> whole_number(std::string_view text) {
    if (text.empty() || text.size() > 9) return std::nullopt;
    std::uint64_t number = 0;
    for (const char c : text) {
        if (c < '0' || c > '9') return std::nullopt;
        number = number * 10 + static_cast<std::uint64_t>(c - '0');
    }
    return number;
}

// 30d, 36h, 2w.
std::optional<std::uint64_t> span_seconds(std::string_view text) {
    if (text.empty()) return std::nullopt;
    const auto number = whole_number(text.substr(0, text.size() - 1));
    if (!number) return std::nullopt;
    switch (text.back()) {
        case 'h':
            return *number * kHour;
        case 'd':
            return *number * kDay;
        case 'w':
            return *number * kWeek;
        default:
            return std::nullopt;
    }
}

// PolicyReader walks one text and collects what is wrong with it.
class PolicyReader {
public:
    PolicyReader(const PolicyText& text, std::vector<PolicyFinding>& errors)
        : text_{text}, errors_{errors} {}

    std::vector<std::pair<RetentionPolicy, int>> read();  // with their lines

private:
    using Field = std::function<void(const YAML::Node& value, const std::string& path)>;
    struct Named {
        std::string_view name;
        Field read;
    };

    void error(const YAML::Node& at, const std::string& path, const std::string& message) {
        errors_.push_back({text_.file, at.Mark().line + 1, path, message});
    }
    void read_list(const YAML::Node& list, const std::string& path,
                   std::vector<std::pair<RetentionPolicy, int>>& policies);
    void read_document(const YAML::Node& root, std::vector<std::pair<RetentionPolicy, int>>& to);
    // Calls the field of each key; an unknown one and one given twice are errors.
    void read_map(const YAML::Node& map, const std::string& path, std::vector<Named> fields);
    RetentionPolicy read_policy(const YAML::Node& node, const std::string& path);
    void read_match(const YAML::Node& node, const std::string& path, RetentionPolicy& policy);
    void read_rules(const YAML::Node& node, const std::string& path, RetentionPolicy& policy);
    std::optional<RetentionRule> read_rule(const YAML::Node& node, const std::string& path);
    std::vector<Named> fields_of(RetentionRule& rule);
    void add_count_fields(RetentionRule& rule, std::vector<Named>& fields);
    void add_name_fields(RetentionRule& rule, std::vector<Named>& fields);
    void add_condition_fields(RetentionRule& rule, std::vector<Named>& fields);
    void check(const YAML::Node& node, const std::string& path, const RetentionRule& rule);

    // Each says what is wrong itself.
    std::string text(const YAML::Node& node, const std::string& path);
    bool flag(const YAML::Node& node, const std::string& path);
    std::uint64_t number(const YAML::Node& node, const std::string& path, std::uint64_t min,
                         std::uint64_t max);
    std::vector<std::string> texts(const YAML::Node& node, const std::string& path);
    std::vector<Pattern> globs(const YAML::Node& node, const std::string& path,
                               Pattern::Kind kind = Pattern::Kind::tag_glob);
    std::optional<Pattern> regex(const YAML::Node& node, const std::string& path);
    Field age(std::optional<std::uint64_t>& to, std::uint64_t unit);
    Field span(std::optional<std::uint64_t>& to);
    Field choice(std::initializer_list<std::string_view> words,
                 std::function<void(std::size_t)> chosen);

    const PolicyText& text_;
    std::vector<PolicyFinding>& errors_;
    std::optional<std::uint64_t> untagged_;  // of the rule that is read
    std::string per_;
};

std::vector<std::pair<RetentionPolicy, int>> PolicyReader::read() {
    std::vector<std::pair<RetentionPolicy, int>> policies;
    if (text_.text.size() > RetentionPolicies::kTextMax) {
        errors_.push_back({text_.file, 0, {}, "is larger than 1 MiB"});
        return policies;
    }
    try {
        std::istringstream stream{text_.text};
        YAML::Parser parser{stream};
        ShapeOfText shape;
        const bool one = parser.HandleNextDocument(shape);
        if (shape.found && text_.section.empty()) {
            shape.found->file = text_.file;
            errors_.push_back(*shape.found);
            return policies;
        }
        if (one && text_.section.empty() && parser.HandleNextDocument(shape)) {
            errors_.push_back({text_.file, 0, {}, "holds more than one document"});
            return policies;
        }
        read_document(YAML::Load(text_.text), policies);
    } catch (const YAML::Exception& exception) {
        errors_.push_back(
            {text_.file, exception.mark.line + 1, {}, "is not YAML: " + exception.msg});
    }
    return policies;
}

void PolicyReader::read_document(const YAML::Node& root,
                                 std::vector<std::pair<RetentionPolicy, int>>& to) {
    if (!text_.section.empty()) {
        // Of a configuration: what stands around it is read elsewhere.
        YAML::Node node;
        node.reset(root);
        std::istringstream words{text_.section};
        for (std::string word; std::getline(words, word, '.');) {
            if (!node.IsMap() || !node[word]) return;
            node.reset(node[word]);
        }
        read_list(node, text_.section, to);
    } else if (root.IsSequence()) {
        read_list(root, "policies", to);
    } else if (root.IsMap() && root["policies"]) {
        read_map(root, {},
                 {{"version",
                   [this](const YAML::Node& node, const std::string& path) {
                       if (number(node, path, 0, kNumberMax) != 1)
                           error(node, path, "this program reads version 1");
                   }},
                  {"policies", [&](const YAML::Node& node, const std::string& path) {
                       read_list(node, path, to);
                   }}});
    } else if (root.IsMap()) {
        to.emplace_back(read_policy(root, {}), root.Mark().line + 1);
    } else {
        error(root, {}, "is no policy, no list of policies, and has no `policies`");
    }
}

void PolicyReader::read_list(const YAML::Node& list, const std::string& path,
                             std::vector<std::pair<RetentionPolicy, int>>& policies) {
    if (list.IsNull()) return;
    if (!list.IsSequence()) {
        error(list, path, "must be a list");
        return;
    }
    for (std::size_t i = 0; i < list.size(); ++i) {
        policies.emplace_back(read_policy(list[i], element(path, i)), list[i].Mark().line + 1);
        if (policies.size() > RetentionPolicies::kPoliciesMax) {
            error(list, path, "holds too many policies");
            return;
        }
    }
}

void PolicyReader::read_map(const YAML::Node& map, const std::string& path,
                            std::vector<Named> fields) {
    if (!map.IsMap()) {
        error(map, path, "must be a section with keys");
        return;
    }
    std::set<std::string> seen;
    for (const auto& entry : map) {
        const auto key = entry.first.IsScalar() ? entry.first.Scalar() : std::string{};
        const auto at = join(path, key);
        const auto field = std::find_if(fields.begin(), fields.end(),
                                        [&](const Named& each) { return each.name == key; });
        if (!seen.insert(key).second) {
            error(entry.first, at, "given twice");
        } else if (field == fields.end()) {
            error(entry.first, at, "unknown key");
        } else {
            field->read(entry.second, at);
        }
    }
}

// --- values ---

std::string PolicyReader::text(const YAML::Node& node, const std::string& path) {
    if (node.IsScalar()) return node.Scalar();
    error(node, path, "takes a single value");
    return {};
}

bool PolicyReader::flag(const YAML::Node& node, const std::string& path) {
    const auto value = node.IsScalar() ? node.Scalar() : std::string{};
    if (value == "true" || value == "false") return value == "true";
    error(node, path, "must be true or false");
    return false;
}

std::uint64_t PolicyReader::number(const YAML::Node& node, const std::string& path,
                                   std::uint64_t min, std::uint64_t max) {
    const auto value = node.IsScalar() ? whole_number(node.Scalar()) : std::nullopt;
    if (!value) {
        error(node, path, "must be a whole number, not negative");
    } else if (*value < min || *value > max) {
        error(node, path, "must be from " + std::to_string(min) + " to " + std::to_string(max));
    } else {
        return *value;
    }
    return min;
}

std::vector<std::string> PolicyReader::texts(const YAML::Node& node, const std::string& path) {
    std::vector<std::string> values;
    if (!node.IsSequence() || node.size() == 0) {
        error(node, path, "must be a list with at least one entry");
        return values;
    }
    if (node.size() > kPatternsMax) {
        error(node, path, "has more than 200 entries");
        return values;
    }
    for (std::size_t i = 0; i < node.size(); ++i) values.push_back(text(node[i], element(path, i)));
    return values;
}

std::vector<Pattern> PolicyReader::globs(const YAML::Node& node, const std::string& path,
                                         Pattern::Kind kind) {
    std::vector<Pattern> patterns;
    for (const auto& value : texts(node, path)) {
        std::string trouble;
        auto pattern = Pattern::compile(value, kind, trouble);
        if (pattern) {
            patterns.push_back(std::move(*pattern));
        } else {
            error(node, path, '`' + value + "` " + trouble);
        }
    }
    return patterns;
}

std::optional<Pattern> PolicyReader::regex(const YAML::Node& node, const std::string& path) {
    const auto value = text(node, path);
    std::string trouble;
    auto pattern = Pattern::compile(value, Pattern::Kind::regex, trouble);
    if (!pattern) error(node, path, '`' + value + "` " + trouble);
    return pattern;
}

PolicyReader::Field PolicyReader::age(std::optional<std::uint64_t>& to, std::uint64_t unit) {
    return [this, &to, unit](const YAML::Node& node, const std::string& path) {
        if (to) error(node, path, "says the same as another key");
        const auto value = number(node, path, 0, kNumberMax / kDay * kDay);
        if (value == 0 && node.IsScalar() && node.Scalar() == "0")
            error(node, path, "would keep nothing: must be at least 1");
        to = value * unit;
    };
}

PolicyReader::Field PolicyReader::span(std::optional<std::uint64_t>& to) {
    return [this, &to](const YAML::Node& node, const std::string& path) {
        if (to) error(node, path, "says the same as another key");
        const auto value = node.IsScalar() ? span_seconds(node.Scalar()) : std::nullopt;
        if (!value) error(node, path, "must be a span such as 36h, 30d or 2w");
        if (value && *value == 0) error(node, path, "would keep nothing: must be at least 1");
        to = value.value_or(kDay);
    };
}

// --- rules ---

PolicyReader::Field PolicyReader::choice(std::initializer_list<std::string_view> words,
                                         std::function<void(std::size_t)> chosen) {
    return [this, words = std::vector<std::string_view>{words}, chosen = std::move(chosen)](
               const YAML::Node& node, const std::string& path) {
        const auto value = text(node, path);
        const auto found = std::find(words.begin(), words.end(), value);
        if (found != words.end()) {
            chosen(static_cast<std::size_t>(found - words.begin()));
            return;
        }
        std::string names;
        for (const auto word : words) names.append(names.empty() ? "" : ", ").append(word);
        error(node, path, '`' + value + "` is not one of: " + names);
    };
}

std::vector<PolicyReader::Named> PolicyReader::fields_of(RetentionRule& rule) {
    using Kind = RetentionRule::Kind;
    const auto set_globs = [this](std::vector<Pattern>& to) -> Field {
        return [this, &to](const YAML::Node& n, const std::string& p) { to = globs(n, p); };
    };
    std::vector<Named> fields{{"tags", set_globs(rule.tags)},
                              {"exclude_tags", set_globs(rule.exclude_tags)}};
    switch (rule.kind) {
        case Kind::keep_by_age:
            fields.push_back({"max_age_days", age(rule.max_age_s, kDay)});
            fields.push_back({"max_age", span(rule.max_age_s)});
            fields.push_back({"match_pulled_in_last_days", age(rule.pulled_in_last_s, kDay)});
            fields.push_back({"match_pulled_in_last", span(rule.pulled_in_last_s)});
            fields.push_back({"mode", choice({"last_access", "strict"},
                                             [&rule](std::size_t i) { rule.strict = i == 1; })});
            break;
        case Kind::keep_last_n:
            add_count_fields(rule, fields);
            break;
        case Kind::keep_tags:
            add_name_fields(rule, fields);
            break;
        case Kind::keep_untagged_for:
            fields.push_back({"days", age(untagged_, kDay)});
            fields.push_back({"hours", age(untagged_, kHour)});
            break;
        case Kind::keep_if:
            add_condition_fields(rule, fields);
            break;
        case Kind::protect:
            fields.push_back({"reason", [this, &rule](const YAML::Node& n, const std::string& p) {
                                  rule.reason = text(n, p);
                              }});
            break;
    }
    return fields;
}

void PolicyReader::add_count_fields(RetentionRule& rule, std::vector<Named>& fields) {
    fields.push_back({"n", [this, &rule](const YAML::Node& n, const std::string& p) {
                          rule.count = static_cast<std::uint32_t>(number(n, p, 1, 1'000'000));
                      }});
    fields.push_back(
        {"by", choice({"pushed", "pulled", "active", "semver"},
                      [&rule](std::size_t i) { rule.by = static_cast<RetentionRule::By>(i); })});
    fields.push_back({"per", choice({"repository", "group"}, [this](std::size_t i) {
                          per_ = i == 1 ? "group" : "repository";
                      })});
    fields.push_back({"group_regex", [this, &rule](const YAML::Node& n, const std::string& p) {
                          rule.group = regex(n, p);
                          if (rule.group && !rule.group->has_group())
                              error(n, p, "has no group in parentheses");
                      }});
    fields.push_back({"distinct", choice({"digest", "tag"},
                                         [&rule](std::size_t i) { rule.distinct_tags = i == 1; })});
}

void PolicyReader::add_name_fields(RetentionRule& rule, std::vector<Named>& fields) {
    fields.push_back({"regex", [this, &rule](const YAML::Node& n, const std::string& p) {
                          rule.regex = regex(n, p);
                      }});
    fields.push_back(
        {"semver", [this, &rule](const YAML::Node& n, const std::string& p) {
             const auto value = text(n, p);
             rule.semver = SemverRange::parse(value);
             if (!rule.semver)
                 error(n, p, '`' + value + "` is no range of versions such as >=2.0.0 <3.0.0");
         }});
    fields.push_back({"prerelease", [this, &rule](const YAML::Node& n, const std::string& p) {
                          rule.prerelease = flag(n, p);
                      }});
}

void PolicyReader::add_condition_fields(RetentionRule& rule, std::vector<Named>& fields) {
    fields.push_back({"quarantined", [this, &rule](const YAML::Node& n, const std::string& p) {
                          rule.quarantined = flag(n, p);
                      }});
    fields.push_back({"signed", [this, &rule](const YAML::Node& n, const std::string& p) {
                          rule.is_signed = flag(n, p);
                      }});
    fields.push_back({"label", [this, &rule](const YAML::Node& n, const std::string& p) {
                          const auto value = text(n, p);
                          const auto equals = value.find('=');
                          const bool pair = equals != value.npos && equals != 0;
                          if (!pair) error(n, p, "must be key=value");
                          if (pair)
                              rule.label.emplace(value.substr(0, equals), value.substr(equals + 1));
                      }});
}

void PolicyReader::check(const YAML::Node& node, const std::string& path,
                         const RetentionRule& rule) {
    using Kind = RetentionRule::Kind;
    switch (rule.kind) {
        case Kind::keep_by_age:
            if (!rule.max_age_s && !rule.pulled_in_last_s)
                error(node, path, "needs `max_age_days` or `match_pulled_in_last_days`");
            break;
        case Kind::keep_last_n:
            if (rule.count == 0) error(node, path, "needs `n`");
            if ((per_ == "group") != rule.group.has_value())
                error(node, path, "`per: group` and `group_regex` belong together");
            break;
        case Kind::keep_tags:
            if (rule.tags.empty() && !rule.regex && !rule.semver)
                error(node, path, "needs `tags`, `regex` or `semver`");
            break;
        case Kind::keep_untagged_for:
            if (!untagged_) error(node, path, "needs `days` or `hours`");
            break;
        case Kind::keep_if:
            if (!rule.quarantined && !rule.is_signed && !rule.label)
                error(node, path, "needs `quarantined`, `signed` or `label`");
            break;
        case Kind::protect:
            if (rule.tags.empty()) error(node, path, "needs `tags`");
            break;
    }
}

std::optional<RetentionRule> PolicyReader::read_rule(const YAML::Node& node,
                                                     const std::string& path) {
    if (!node.IsMap() || node.size() != 1) {
        error(node, path, "must be one rule: a section with one key");
        return std::nullopt;
    }
    const auto entry = *node.begin();
    const auto name = entry.first.IsScalar() ? entry.first.Scalar() : std::string{};
    const auto at = join(path, name);
    RetentionRule rule;
    bool known = false;
    for (int kind = 0; kind <= static_cast<int>(RetentionRule::Kind::protect); ++kind) {
        if (to_string(static_cast<RetentionRule::Kind>(kind)) != name) continue;
        rule.kind = static_cast<RetentionRule::Kind>(kind);
        known = true;
    }
    if (!known) {
        error(entry.first, at, "unknown rule");
        return std::nullopt;
    }
    untagged_.reset();
    per_ = "repository";
    const auto before = errors_.size();
    read_map(entry.second, at, fields_of(rule));
    if (errors_.size() == before) check(entry.second, at, rule);
    rule.untagged_s = untagged_.value_or(0);
    return rule;
}

void PolicyReader::read_rules(const YAML::Node& node, const std::string& path,
                              RetentionPolicy& policy) {
    if (!node.IsSequence() || node.size() == 0 || node.size() > RetentionPolicies::kRulesMax) {
        error(node, path, "must be a list of 1 to 100 rules");
        return;
    }
    for (std::size_t i = 0; i < node.size(); ++i) {
        if (auto rule = read_rule(node[i], element(path, i)))
            policy.rules.push_back(std::move(*rule));
    }
}

// --- policies ---

void PolicyReader::read_match(const YAML::Node& node, const std::string& path,
                              RetentionPolicy& policy) {
    constexpr auto kGlob = Pattern::Kind::repository_glob;
    read_map(
        node, path,
        {{"repositories", [&](const YAML::Node& n,
                              const std::string& p) { policy.repositories = globs(n, p, kGlob); }},
         {"exclude",
          [&](const YAML::Node& n, const std::string& p) { policy.exclude = globs(n, p, kGlob); }},
         {"kinds", [&](const YAML::Node& n, const std::string& p) {
              for (const auto& value : texts(n, p)) {
                  const auto kind = parse_artifact_kind(value);
                  if (!kind) error(n, p, '`' + value + "` is no kind of artifact");
                  if (kind) policy.kinds.insert(*kind);
              }
          }}});
}

bool is_policy_name(std::string_view name) noexcept {
    const auto plain = [](char c) {
        return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
    };
    return !name.empty() && name.size() <= kNameMax &&
           std::all_of(name.begin(), name.end(), plain) && name[0] != '.' && name[0] != '_' &&
           name[0] != '-';
}

RetentionPolicy PolicyReader::read_policy(const YAML::Node& node, const std::string& path) {
    RetentionPolicy policy;
    std::string trouble;
    policy.repositories.push_back(*Pattern::compile("**", Pattern::Kind::repository_glob, trouble));
    policy.schedule_text = "0 3 * * *";
    const auto set_flag = [this](bool& to) -> Field {
        return [this, &to](const YAML::Node& n, const std::string& p) { to = flag(n, p); };
    };
    read_map(
        node, path,
        {{"name", [&](const YAML::Node& n, const std::string& p) { policy.name = text(n, p); }},
         {"match", [&](const YAML::Node& n, const std::string& p) { read_match(n, p, policy); }},
         {"schedule",
          [&](const YAML::Node& n, const std::string& p) {
              policy.schedule_text = text(n, p);
              if (!Cron::parse(policy.schedule_text))
                  error(n, p, "is no schedule: minute hour day month weekday, in UTC");
          }},
         {"dry_run", set_flag(policy.dry_run)},
         {"grace_hours",
          [&](const YAML::Node& n, const std::string& p) {
              policy.grace_s = number(n, p, 1, 100'000) * kHour;
          }},
         {"delete_untagged", set_flag(policy.delete_untagged)},
         {"max_delete_percent",
          [&](const YAML::Node& n, const std::string& p) {
              policy.max_delete_percent = static_cast<std::uint32_t>(number(n, p, 1, 100));
          }},
         {"respect_immutable", set_flag(policy.respect_immutable)},
         {"rules", [&](const YAML::Node& n, const std::string& p) { read_rules(n, p, policy); }}});
    if (auto schedule = Cron::parse(policy.schedule_text)) policy.schedule = *schedule;
    if (!node.IsMap()) return policy;
    if (!is_policy_name(policy.name))
        error(node, join(path, "name"),
              "must be 1 to 63 small letters, digits and ._-, and begin with one of the first two");
    if (!node["rules"]) error(node, join(path, "rules"), "is missing");
    return policy;
}

}  // namespace

ReadPolicies read_retention_policies(const std::vector<PolicyText>& texts) {
    ReadPolicies result;
    auto policies = std::make_shared<RetentionPolicies>();
    std::set<std::string> names;
    for (const auto& text : texts) {
        for (auto& [policy, line] : PolicyReader{text, result.errors}.read()) {
            if (!names.insert(policy.name).second)
                result.errors.push_back(
                    {text.file, line, "name", '`' + policy.name + "` is the name of two policies"});
            policies->all.push_back(std::make_shared<const RetentionPolicy>(std::move(policy)));
        }
    }
    if (policies->all.size() > RetentionPolicies::kPoliciesMax)
        result.errors.push_back({{}, 0, "retention", "there are more than 1000 policies"});
    if (result.errors.empty()) result.policies = std::move(policies);
    return result;
}

ReadPolicies read_policy_text(const std::string& file, const std::string& text) {
    return read_retention_policies({{file, text, {}}});
}

}  // namespace orbitalreg::engine
