#include "embedded/embedded_document_store.h"

#include "embedded/keys.h"
#include "embedded/turn.h"

namespace orbitalreg::engine {

Awaitable<Answer<Document>> EmbeddedDocumentStore::get(std::string name) {
    auto found = catalog_.documents().find(name, store_.store_time_ms());
    if (!found) co_return refuse(Errc::document_unknown);
    co_return std::move(*found);
}

Awaitable<Answer<std::uint64_t>> EmbeddedDocumentStore::put(RequestId id, DocumentWrite write) {
    // Neither can be encoded: the record's reader refuses them.
    if (!is_document_name(write.name))
        co_return refuse({Errc::name_invalid, "invalid document name"});
    if (write.bytes.size() > state_.limits.document_size_max_bytes) {
        co_return refuse({Errc::too_large, "the document is too large"});
    }
    cas::Change change;
    change.keys.exclusive = {document_key(write.name)};
    const auto shared = std::make_shared<const DocumentWrite>(std::move(write));
    TurnCheck check = [state = state_, shared, id](cas::Change& self,
                                                   const cas::FrameContext& frame) -> Answer<void> {
        ORB_TRY(check_document(state, *shared, frame.store_time_ms));
        const auto expires = shared->keep_ms == 0 ? 0 : frame.store_time_ms + shared->keep_ms;
        self.records.push_back(encode(DocumentPutRecord{shared->name, shared->bytes, expires, id}));
        return ok();
    };
    co_return co_await commit(store_, catalog_, id, std::move(change), std::move(check));
}

Awaitable<Answer<void>> EmbeddedDocumentStore::remove(RequestId id, std::string name,
                                                      DocumentExpectation expected) {
    if (!is_document_name(name)) co_return refuse({Errc::name_invalid, "invalid document name"});
    cas::Change change;
    change.keys.exclusive = {document_key(name)};
    change.records.push_back(encode(DocumentDeleteRecord{name, id}));
    TurnCheck check = [state = state_, name, expected](
                          cas::Change&, const cas::FrameContext& frame) -> Answer<void> {
        return check_document_removal(state, name, expected, frame.store_time_ms);
    };
    const auto committed =
        co_await commit(store_, catalog_, id, std::move(change), std::move(check));
    if (!committed) co_return refuse(committed.error());
    co_return ok();
}

Awaitable<Answer<DocumentPage>> EmbeddedDocumentStore::list(std::string prefix, std::string after,
                                                            std::uint32_t count_max) {
    co_return catalog_.documents().list(prefix, after, count_max, store_.store_time_ms());
}

std::shared_ptr<void> EmbeddedDocumentStore::watch(
    std::string prefix, std::function<void(const std::string& name)> changed) {
    return catalog_.watch_documents(std::move(prefix), std::move(changed));
}

}  // namespace orbitalreg::engine
