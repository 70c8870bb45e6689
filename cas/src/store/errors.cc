#include "cas/errors.h"

#include <string>

namespace orbitalreg::cas {
namespace {

class CasCategory final : public boost::system::error_category {
public:
    constexpr CasCategory() noexcept : error_category{0x6f72622d63617300} {}
    const char* name() const noexcept override { return "cas"; }
    std::string message(int value) const override {
        switch (static_cast<Errc>(value)) {
            case Errc::blob_not_found:
                return "no such blob";
            case Errc::blob_damaged:
                return "the blob's bytes fail their checksum";
            case Errc::blob_too_large:
                return "the blob is larger than allowed";
            case Errc::digest_mismatch:
                return "the bytes do not match the digest";
            case Errc::upload_closed:
                return "the upload is finished or cancelled";
            case Errc::upload_busy:
                return "another request writes to this upload";
            case Errc::upload_expired:
                return "the upload has expired";
            case Errc::offset_mismatch:
                return "the bytes do not start at the upload's offset";
            case Errc::precondition_failed:
                return "a precondition of the change does not hold";
            case Errc::change_too_large:
                return "the change is too large for one group";
            case Errc::no_space:
                return "no space left for new content";
            case Errc::overloaded:
                return "a limit is reached, try again later";
            case Errc::read_only:
                return "the store is read-only until it is restarted";
            case Errc::outcome_unknown:
                return "the change may or may not have happened";
            case Errc::stopped:
                return "the store is stopping";
            case Errc::io_error:
                return "the device failed";
            case Errc::locked:
                return "another process has the store open";
            case Errc::not_a_store:
                return "the directory is neither empty nor a store";
            case Errc::wrong_store:
                return "a file belongs to another store or another place";
            case Errc::version_unsupported:
                return "the store was written by a newer version";
            case Errc::log_corrupt:
                return "acknowledged frames of the log are damaged";
            case Errc::superblock_corrupt:
                return "no copy of the superblock is valid";
            case Errc::catalog_unreadable:
                return "a catalog record cannot be understood";
            case Errc::bad_format:
                return "the bytes do not follow the format";
            case Errc::checkpoint_corrupt:
                return "the checkpoint is damaged in both copies";
        }
        return "unknown error";
    }
};

}  // namespace

const boost::system::error_category& category() noexcept {
    static constexpr CasCategory category;
    return category;
}

}  // namespace orbitalreg::cas
