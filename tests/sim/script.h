#pragma once
// A Script is a few operations written down: what a run of the exhaustive mode does before its power is cut, and what is
// kept of a defect that was found. Text, one step a line; scripts.txt says what each is for.
//
//   script NAME              begins one; comments start with #
//   segment KIB, lane KIB    sizes of the store that differ from the usual ones
//   grace MS                 of collection; a day without it
//   push IMAGE BLOB          a blob in one request             push_wrong: under the digest of another
//   session S IMAGE BLOB     an upload session, not yet known to the store
//   send S BYTES             its next bytes; `all` for the rest
//   mark S | finish S | finish_wrong S | cancel S | drop S     drop: the connection is lost
//   mount IMAGE BLOB SOURCE | delete_link IMAGE BLOB
//   put IMAGE MANIFEST TAG   TAG - for none                    tag, untag: IMAGE TAG [MANIFEST]
//   delete IMAGE MANIFEST | document D VALUE | remove_document D
//   head IMAGE BLOB          asks whether it exists, which promises that it stays
//   wait MS                  time passes
//   checkpoint               made now
//   compact                  a round of compaction
//   collect                  a round of collection
//   stop | kill              and the next process
//   & STEP                   begins together with the step of the next line

#include "sim/life.h"

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace orbitalreg::sim {

struct ScriptStep {
    enum class Kind : std::uint8_t {
        request,  // `operation`
        push,
        session,
        send,
        mark,
        finish,
        cancel,
        drop,
        wait,
        collect,
        compact,
        checkpoint,
        stop,
        kill
    };
    Kind kind = Kind::request;
    Operation operation;  // of a session: slot, image, blob
    bool wrong = false;
    std::uint64_t amount = 0;  // bytes, or milliseconds
    bool together = false;     // with the next one
};

struct Script {
    std::string name;
    std::vector<ScriptStep> steps;
    std::uint64_t segment_bytes = 0;  // 0: the usual
    std::uint64_t lane_bytes = 0;
    std::optional<std::uint64_t> grace_ms;
};

// Errc::bad_format, and what is wrong in `complaint`.
Result<std::vector<Script>> parse_scripts(std::string_view text, std::string& complaint);

// ScriptRun does the steps of a script one after the other. Its writers live as long as their process.
class ScriptRun {
public:
    explicit ScriptRun(const Script& script) noexcept : script_{script} {}

    // Begins the next step and those that go with it, as coroutines on the life's executor. False before a `stop` or
    // `kill` and at the end.
    bool begin(Life& life);
    // All that was begun has ended.
    bool idle() const noexcept { return running_ == 0; }
    bool at_end() const noexcept { return position_ == script_.steps.size(); }
    // Past a `stop` or `kill`; true for a stop.
    bool leave();
    void drop_writers() noexcept { writers_.clear(); }

private:
    Awaitable<void> perform(Life& life, const ScriptStep& step);
    Awaitable<void> perform_upload(Life& life, const ScriptStep& step);
    Awaitable<void> perform_and_count(Life& life, const ScriptStep& step);
    static SimSession* session_of(Life& life, const ScriptStep& step);

    const Script& script_;
    std::size_t position_ = 0;
    std::size_t running_ = 0;
    std::map<std::int8_t, std::unique_ptr<engine::UploadWriter>> writers_;
};

}  // namespace orbitalreg::sim
