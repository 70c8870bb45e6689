// What goes out: headers that cannot be split, errors in OCI's form, conditions, pages, what a log line may show.
// SEC-85, SEC-105, DIST-ERR-01, DIST-MAN-13, DIST-MAN-37, DIST-LIST-06.

#include "http/access_log.h"
#include "http/conditions.h"
#include "http/error_map.h"
#include "http/json_text.h"
#include "http/pagination.h"
#include "http/response.h"

#include <gtest/gtest.h>

namespace orbitalreg::frontend {
namespace {

std::string text_of(const Headers& headers) { return std::string{headers.text()}; }

TEST(Headers, AreWrittenInOrder) {
    Headers headers;
    headers.add("A", "b");
    headers.add("Content-Length", std::uint64_t{17});
    EXPECT_EQ(text_of(headers), "A: b\r\nContent-Length: 17\r\n");
    EXPECT_TRUE(headers.has("content-length"));
    EXPECT_FALSE(headers.unsafe());
}

// Goal: the form of DIST-WARN-01 and the sum of DIST-WARN-02.
TEST(Headers, WarningsHaveTheirFormAndTheirSum) {
    Headers headers;
    headers.add_warning("say \"no\" \\ to\r\nX: y");
    EXPECT_EQ(text_of(headers), "Warning: 299 - \"say \\\"no\\\" \\\\ to??X: y\"\r\n");
    for (int i = 0; i < 10; ++i) headers.add_warning(std::string(1000, 'a'));
    const auto text = text_of(headers);
    EXPECT_EQ(std::count(text.begin(), text.end(), '\n'), 1 + 4);
    EXPECT_FALSE(headers.unsafe());
}

TEST(Headers, Sec85RefuseWhatEndsALine) {
    for (const std::string& value :
         {std::string{"a\rb"}, std::string{"a\nb"}, std::string{"a\0b", 3},
          std::string{"a\r\nSet-Cookie: x"}, std::string{"\x7f"}, std::string{"\xc2\x85"}}) {
        Headers headers;
        headers.add("Location", value);
        EXPECT_TRUE(headers.unsafe());
        EXPECT_EQ(text_of(headers), "");
    }
    // A name that is no token does not compile.
}

std::string body_of(const Response& response) { return std::get<std::string>(response.body); }

TEST(ErrorMap, GivesStatusAndCode) {
    using engine::Errc;
    struct Case {
        Errc error;
        Subject subject;
        unsigned status;
        const char* code;
    };
    for (const Case& each :
         {Case{Errc::name_invalid, Subject::blob_pull, 400, "NAME_INVALID"},
          Case{Errc::tag_invalid, Subject::manifest_pull, 404, "MANIFEST_UNKNOWN"},
          Case{Errc::tag_invalid, Subject::manifest_push, 400, "MANIFEST_INVALID"},
          Case{Errc::digest_invalid, Subject::blob_pull, 400, "DIGEST_INVALID"},
          Case{Errc::digest_unsupported, Subject::blob_pull, 404, "BLOB_UNKNOWN"},
          Case{Errc::digest_unsupported, Subject::blob_push, 400, "DIGEST_INVALID"},
          Case{Errc::digest_mismatch, Subject::blob_push, 400, "DIGEST_INVALID"},
          Case{Errc::name_unknown, Subject::listing, 404, "NAME_UNKNOWN"},
          Case{Errc::upload_unknown, Subject::blob_push, 404, "BLOB_UPLOAD_UNKNOWN"},
          Case{Errc::offset_mismatch, Subject::blob_push, 416, "BLOB_UPLOAD_INVALID"},
          Case{Errc::in_use, Subject::blob_pull, 405, "UNSUPPORTED"},
          Case{Errc::too_large, Subject::manifest_push, 413, "MANIFEST_INVALID"},
          Case{Errc::denied, Subject::manifest_push, 403, "DENIED"},
          Case{Errc::no_space, Subject::blob_push, 507, "UNAVAILABLE"},
          Case{Errc::overloaded, Subject::blob_push, 503, "UNAVAILABLE"},
          Case{Errc::too_many_uploads, Subject::blob_push, 429, "TOOMANYREQUESTS"},
          Case{Errc::io_error, Subject::blob_pull, 503, "UNAVAILABLE"}}) {
        const auto response = refusal_response(engine::Refusal{each.error}, each.subject);
        EXPECT_EQ(response.status, each.status) << each.code;
        EXPECT_NE(body_of(response).find("\"code\":\"" + std::string{each.code} + '"'),
                  std::string::npos)
            << body_of(response);
    }
}

TEST(ErrorMap, TellsWhenToComeBack) {
    EXPECT_TRUE(
        refusal_response({engine::Errc::no_space}, Subject::blob_push).headers.has("Retry-After"));
    EXPECT_TRUE(refusal_response({engine::Errc::overloaded}, Subject::blob_push)
                    .headers.has("Retry-After"));
    EXPECT_TRUE(refusal_response({engine::Errc::in_use}, Subject::blob_pull).headers.has("Allow"));
}

TEST(ErrorMap, DistMan13NamesEachMissingItem) {
    const auto a = Digest::of(DigestAlgorithm::sha256, as_bytes("a"));
    const auto b = Digest::of(DigestAlgorithm::sha256, as_bytes("b"));
    const auto body = body_of(
        refusal_response({engine::Errc::child_missing, "missing", {a, b}}, Subject::manifest_push));
    EXPECT_EQ(
        body,
        R"({"errors":[{"code":"MANIFEST_BLOB_UNKNOWN","message":"missing","detail":{"digest":")" +
            a.to_string() +
            R"("}},{"code":"MANIFEST_BLOB_UNKNOWN","message":"missing","detail":{"digest":")" +
            b.to_string() + R"("}}]})");
}

TEST(ErrorMap, DistErr03KeepsStrangeErrorsToItself) {
    const engine::Refusal strange{ErrorCode{2, boost::system::system_category()}};
    EXPECT_EQ(body_of(refusal_response(strange, Subject::blob_pull)),
              R"({"errors":[{"code":"UNKNOWN","message":"internal error"}]})");
}

TEST(JsonText, StaysJsonWhateverComes) {
    EXPECT_EQ(json_string("a\"b\\c\n\x01"), "\"a\\\"b\\\\c\\u000a\\u0001\"");
    EXPECT_EQ(json_string("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"),
              "\"\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80\"");
    const std::string replacement = "\xef\xbf\xbd";
    EXPECT_EQ(json_string("\xff"), '"' + replacement + '"');
    EXPECT_EQ(json_string("\xc0\x80"), '"' + replacement + replacement + '"') << "overlong";
    EXPECT_EQ(json_string("\xed\xa0\x80"), '"' + replacement + replacement + replacement + '"')
        << "a surrogate";
    EXPECT_EQ(json_string("\xe2\x82"), '"' + replacement + replacement + '"') << "cut short";
}

const Digest kDigest = Digest::of(DigestAlgorithm::sha256, as_bytes("content"));

RequestHead head_with(std::string_view name, std::string_view value) {
    RequestHead head;
    head.fields.push_back({name, value});
    return head;
}

TEST(Conditions, DistMan37AcceptEverySpelling) {
    const auto plain = kDigest.to_string();
    for (const auto& value : {'"' + plain + '"', plain, "W/\"" + plain + '"', std::string{"*"},
                              "\"other\", \"" + plain + '"'}) {
        EXPECT_EQ(check_conditions(head_with("If-None-Match", value), kDigest),
                  Condition::not_modified)
            << value;
    }
    EXPECT_EQ(check_conditions(head_with("If-None-Match", "\"other\""), kDigest),
              Condition::proceed);
    EXPECT_EQ(check_conditions(head_with("If-Match", "\"other\""), kDigest), Condition::failed);
    EXPECT_EQ(check_conditions(head_with("If-Match", entity_tag(kDigest)), kDigest),
              Condition::proceed);
}

TEST(Conditions, DistBlob16WantTheStrongTagForRanges) {
    EXPECT_TRUE(range_applies(RequestHead{}, kDigest));
    EXPECT_TRUE(range_applies(head_with("If-Range", entity_tag(kDigest)), kDigest));
    EXPECT_FALSE(range_applies(head_with("If-Range", "W/" + entity_tag(kDigest)), kDigest));
    EXPECT_FALSE(range_applies(head_with("If-Range", "Wed, 21 Oct 2015 07:28:00 GMT"), kDigest));
}

TEST(Pagination, Sec05ReadsN) {
    EXPECT_EQ(parse_page(Query::parse("n=10&last=a", 9)).count, 10U);
    EXPECT_EQ(parse_page(Query::parse("n=10&last=a", 9)).after, "a");
    EXPECT_EQ(parse_page(Query::parse("", 9)).count, std::nullopt);
    EXPECT_EQ(parse_page(Query::parse("n=0", 9)).count, 0U);
    EXPECT_EQ(parse_page(Query::parse("n=99999999999999999999999", 9)).count, UINT64_MAX)
        << "clamped later";
    for (const char* text : {"n=-1", "n=", "n=1x", "n=0x1", "n=1.5", "n=+1"}) {
        EXPECT_FALSE(parse_page(Query::parse(text, 9)).valid) << text;
    }
}

TEST(Pagination, DistList07KeepsTheOtherParameters) {
    const auto query = Query::parse("n=2&last=b&x=a%26b", 9);
    EXPECT_EQ(next_link("", "/v2/a/tags/list", query, "c+d"),
              "</v2/a/tags/list?n=2&x=a%26b&last=c%2Bd>; rel=\"next\"");
    EXPECT_EQ(next_link("https://r", "/v2/_catalog", Query{}, "a/b"),
              "<https://r/v2/_catalog?last=a%2Fb>; rel=\"next\"");
}

TEST(AccessLog, Sec105ShowsNoSecret) {
    EXPECT_EQ(loggable_target("/v2/a/tags/list?n=1&token=t&code=c&x=y", Route::tags),
              "/v2/a/tags/list?n=1&token=-&code=-&x=y");
    EXPECT_EQ(loggable_target("/v2/a/blobs/uploads/0123456789abcdef?digest=d", Route::upload),
              "/v2/a/blobs/uploads/01234567...?digest=d");
}

}  // namespace
}  // namespace orbitalreg::frontend
