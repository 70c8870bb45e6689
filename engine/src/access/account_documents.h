#pragma once
// How accounts are written as documents, and under which names:
//
//   account/user/<name>                   a person
//   account/token/<user>/<id>             a personal token
//   account/robot/<project or ->/<name>   a robot
//   account/bootstrap                     the secret that makes the first administrator
//   project/<name>, repository/<project>/<repository>, visibility/<project>/<repository>, member/<project>/<kind>:<name>
//   refresh/<family>/<hash>               a refresh token
//   used/<issuer>/<id>                    what an identity provider gave and may be used once
//
// All but the last two lines decide about rights: a change of one is a new Accounts::epoch().

#include "engine/accounts.h"

#include <optional>
#include <string>
#include <vector>

namespace orbitalreg::engine {

inline constexpr std::string_view kUserPrefix = "account/user/";
inline constexpr std::string_view kTokenPrefix = "account/token/";
inline constexpr std::string_view kRobotPrefix = "account/robot/";
inline constexpr std::string_view kBootstrapName = "account/bootstrap";
inline constexpr std::string_view kRefreshPrefix = "refresh/";
inline constexpr std::string_view kUsedPrefix = "used/";

std::string user_document(std::string_view name);
std::string token_document(std::string_view user, std::string_view id);
std::string robot_folder(std::string_view project);
// Nothing for a name that can be no robot's.
std::optional<std::string> robot_document(std::string_view full_name);

std::vector<std::byte> encode_user(const User& user);
std::optional<User> decode_user(ByteView bytes);
std::vector<std::byte> encode_token(const PersonalToken& token);
std::optional<PersonalToken> decode_token(ByteView bytes);
std::vector<std::byte> encode_robot(const Robot& robot);
std::optional<Robot> decode_robot(ByteView bytes);
std::vector<std::byte> encode_refresh(const RefreshToken& token);
std::optional<RefreshToken> decode_refresh(ByteView bytes);

}  // namespace orbitalreg::engine
