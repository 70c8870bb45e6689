#include "embedded/embedded_streams.h"

#include "embedded/keys.h"
#include "embedded/translate.h"

namespace orbitalreg::engine {

Awaitable<Answer<BlobPiece>> EmbeddedBlobStream::read(std::uint64_t offset,
                                                      std::uint64_t length_max) {
    auto piece = co_await reader_->read(offset, length_max);
    if (!piece) co_return refuse(translate(piece.error()));
    co_return BlobPiece{piece.value().bytes, std::move(piece.value().owner)};
}

Awaitable<Answer<MutableByteView>> EmbeddedUploadWriter::buffer() {
    const auto lent = co_await writer_->buffer();
    if (!lent) co_return refuse(translate(lent.error()));
    co_return lent.value();
}

Awaitable<Answer<void>> EmbeddedUploadWriter::advance(std::size_t size) {
    const auto done = co_await writer_->advance(size);
    if (!done) co_return refuse(translate(done.error()));
    co_return ok();
}

Awaitable<Answer<std::uint64_t>> EmbeddedUploadWriter::mark() {
    if (!has_session_) co_return refuse(Errc::unsupported);
    const auto marked = co_await writer_->mark();
    if (!marked) co_return refuse(translate(marked.error()));
    co_return marked.value();
}

Awaitable<Answer<BlobInfo>> EmbeddedUploadWriter::finish(Digest expected) {
    cas::Change change;
    change.keys.shared = {repository_key(target_.image)};
    change.keys.exclusive = {cas::digest_key(expected), image_digest_key(target_.image, expected)};
    change.records.push_back(encode(LinkAddRecord{target_.image, expected, {}}));
    change.check = [state = state_, target = target_](cas::Change& self,
                                                      const cas::FrameContext&) -> Result<void> {
        ensure_repository(state, target, self);
        return ok();
    };
    const auto info = co_await writer_->finish(expected, std::move(change));
    if (!info) co_return refuse(translate(info.error()));
    co_return BlobInfo{info.value().digest, info.value().size_bytes};
}

Awaitable<Answer<BlobPiece>> EmbeddedFollowedUpload::read(std::uint64_t offset,
                                                          std::uint64_t length_max) {
    auto piece = co_await blob_->read(offset, length_max);
    if (!piece) co_return refuse(translate(piece.error()));
    co_return BlobPiece{piece.value().bytes, std::move(piece.value().owner)};
}

Awaitable<Answer<std::shared_ptr<FollowedUpload>>> EmbeddedUploadWriter::follow() {
    auto followed = co_await writer_->follow();
    if (!followed) co_return refuse(translate(followed.error()));
    co_return std::make_shared<EmbeddedFollowedUpload>(std::move(followed).value());
}

Awaitable<Answer<void>> EmbeddedUploadWriter::cancel() {
    const auto done = co_await writer_->cancel();
    if (!done) co_return refuse(translate(done.error()));
    co_return ok();
}

}  // namespace orbitalreg::engine
