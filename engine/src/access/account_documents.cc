#include "access/account_documents.h"

#include "access/document_text.h"

namespace orbitalreg::engine {

namespace json = boost::json;

namespace {

// What would be wider without it is there and of its kind: nobody is switched on, or endless, by a reading error.
bool has_flag(const json::object& object, std::string_view name) {
    const auto* value = object.if_contains(name);
    return value != nullptr && value->is_bool();
}
bool has_number(const json::object& object, std::string_view name) {
    const auto* value = object.if_contains(name);
    return value != nullptr && value->is_int64();
}

}  // namespace

std::string user_document(std::string_view name) {
    return std::string{kUserPrefix} + name_part(name);
}

std::string token_document(std::string_view user, std::string_view id) {
    return std::string{kTokenPrefix} + name_part(user) + '/' + name_part(id);
}

std::string robot_folder(std::string_view project) {
    // `-` alone is no project's name.
    return std::string{kRobotPrefix} + (project.empty() ? "-" : name_part(project)) + '/';
}

std::optional<std::string> robot_document(std::string_view full_name) {
    const auto plus = full_name.find('+');
    const auto project = plus == full_name.npos ? std::string_view{} : full_name.substr(0, plus);
    const auto name = plus == full_name.npos ? full_name : full_name.substr(plus + 1);
    if (!is_robot_name(name)) return std::nullopt;
    if (plus != full_name.npos) {
        const auto parsed = ImageName::parse(project);
        if (!parsed || parsed.value().component_count() != 1) return std::nullopt;
    }
    return robot_folder(project) + name_part(name);
}

std::vector<std::byte> encode_user(const User& user) {
    return to_document({{"name", user.name},
                        {"id", user.id},
                        {"password", user.password},
                        {"administrator", user.administrator},
                        {"disabled", user.disabled},
                        {"generation", static_cast<std::int64_t>(user.generation)},
                        {"created", user.created_s},
                        {"description", user.description}});
}

std::optional<User> decode_user(ByteView bytes) {
    const auto object = from_document(bytes);
    if (!object) return std::nullopt;
    User user;
    user.name = text_of(*object, "name");
    user.id = text_of(*object, "id");
    user.password = text_of(*object, "password");
    user.administrator = flag_of(*object, "administrator");
    user.disabled = flag_of(*object, "disabled");
    user.generation = static_cast<std::uint64_t>(number_of(*object, "generation"));
    user.created_s = number_of(*object, "created");
    user.description = text_of(*object, "description");
    if (user.name.empty() || user.id.empty() || !has_flag(*object, "disabled")) return std::nullopt;
    return user;
}

std::vector<std::byte> encode_token(const PersonalToken& token) {
    return to_document({{"id", token.id},
                        {"user", token.user},
                        {"user_id", token.user_id},
                        {"description", token.description},
                        {"hash", token.secret_hash},
                        {"at_most", to_object(token.at_most)},
                        {"created", token.created_s},
                        {"expires", token.expires_s}});
}

std::optional<PersonalToken> decode_token(ByteView bytes) {
    const auto object = from_document(bytes);
    if (!object) return std::nullopt;
    const auto limit = restriction_of(*object, "at_most");
    PersonalToken token;
    token.id = text_of(*object, "id");
    token.user = text_of(*object, "user");
    token.user_id = text_of(*object, "user_id");
    token.description = text_of(*object, "description");
    token.secret_hash = text_of(*object, "hash");
    token.created_s = number_of(*object, "created");
    token.expires_s = number_of(*object, "expires");
    if (!limit || token.id.empty() || token.user_id.empty() || token.secret_hash.empty() ||
        token.expires_s <= 0)
        return std::nullopt;
    token.at_most = *limit;
    return token;
}

std::vector<std::byte> encode_robot(const Robot& robot) {
    json::array secrets;
    for (const auto& secret : robot.secrets) {
        secrets.push_back(
            json::object{{"id", secret.id}, {"hash", secret.hash}, {"created", secret.created_s}});
    }
    return to_document({{"project", robot.project},
                        {"name", robot.name},
                        {"id", robot.id},
                        {"secrets", std::move(secrets)},
                        {"grants", to_array(robot.grants)},
                        {"disabled", robot.disabled},
                        {"generation", static_cast<std::int64_t>(robot.generation)},
                        {"created", robot.created_s},
                        {"expires", robot.expires_s},
                        {"description", robot.description}});
}

std::optional<Robot> decode_robot(ByteView bytes) {
    const auto object = from_document(bytes);
    if (!object) return std::nullopt;
    Robot robot;
    robot.project = text_of(*object, "project");
    robot.name = text_of(*object, "name");
    robot.id = text_of(*object, "id");
    robot.grants = grants_of(*object, "grants");
    robot.disabled = flag_of(*object, "disabled");
    robot.generation = static_cast<std::uint64_t>(number_of(*object, "generation"));
    robot.created_s = number_of(*object, "created");
    robot.expires_s = number_of(*object, "expires");
    robot.description = text_of(*object, "description");
    const auto* secrets = object->if_contains("secrets");
    if (secrets != nullptr && secrets->is_array()) {
        for (const auto& value : secrets->get_array()) {
            if (!value.is_object()) return std::nullopt;
            const auto& secret = value.get_object();
            robot.secrets.push_back(
                {text_of(secret, "id"), text_of(secret, "hash"), number_of(secret, "created")});
        }
    }
    if (robot.name.empty() || robot.id.empty() || !has_flag(*object, "disabled") ||
        !has_number(*object, "expires"))
        return std::nullopt;
    return robot;
}

std::vector<std::byte> encode_refresh(const RefreshToken& token) {
    return to_document({{"hash", token.secret_hash},
                        {"principal", token.principal},
                        {"account_id", token.account_id},
                        {"generation", static_cast<std::int64_t>(token.generation)},
                        {"credential", token.credential},
                        {"service", token.service},
                        {"client_id", token.client_id},
                        {"renewed", token.renewed_s},
                        {"used_up", token.used_up}});
}

std::optional<RefreshToken> decode_refresh(ByteView bytes) {
    const auto object = from_document(bytes);
    if (!object) return std::nullopt;
    RefreshToken token;
    token.secret_hash = text_of(*object, "hash");
    token.principal = text_of(*object, "principal");
    token.account_id = text_of(*object, "account_id");
    token.generation = static_cast<std::uint64_t>(number_of(*object, "generation"));
    token.credential = text_of(*object, "credential");
    token.service = text_of(*object, "service");
    token.client_id = text_of(*object, "client_id");
    token.renewed_s = number_of(*object, "renewed");
    token.used_up = flag_of(*object, "used_up");
    // Without its credential it would stand for all that the account may.
    if (token.secret_hash.empty() || token.principal.empty() || token.account_id.empty() ||
        token.credential.empty() || !has_flag(*object, "used_up"))
        return std::nullopt;
    return token;
}

}  // namespace orbitalreg::engine
