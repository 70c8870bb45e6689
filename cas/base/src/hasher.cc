// The low-level SHA contexts are deprecated in OpenSSL 3, but they alone expose the midstate.
#define OPENSSL_SUPPRESS_DEPRECATED

#include "base/hasher.h"

#include "base/errors.h"

#include <array>

namespace orbitalreg {
namespace {

template <class Word>
void put_be(std::vector<std::byte>& out, Word word) {
    for (int shift = static_cast<int>(sizeof word) * 8 - 8; shift >= 0; shift -= 8) {
        out.push_back(static_cast<std::byte>(word >> shift));
    }
}

template <class Word>
Word get_be(ByteView bytes) noexcept {
    Word word = 0;
    for (std::size_t i = 0; i < sizeof word; ++i)
        word = static_cast<Word>(word << 8) | std::to_integer<Word>(bytes[i]);
    return word;
}

constexpr std::size_t block_size_bytes(DigestAlgorithm algorithm) noexcept {
    return algorithm == DigestAlgorithm::sha256 ? 64 : 128;
}

}  // namespace

Hasher::Hasher(DigestAlgorithm algorithm) noexcept : algorithm_{algorithm} {
    if (algorithm == DigestAlgorithm::sha256) {
        SHA256_Init(&sha256_);
    } else {
        SHA512_Init(&sha512_);
    }
}

void Hasher::update(ByteView bytes) noexcept {
    if (bytes.empty()) return;
    size_bytes_ += bytes.size();
    if (algorithm_ == DigestAlgorithm::sha256) {
        SHA256_Update(&sha256_, bytes.data(), bytes.size());
    } else {
        SHA512_Update(&sha512_, bytes.data(), bytes.size());
    }
}

Digest Hasher::digest() const noexcept {
    std::array<unsigned char, 64> hash{};
    if (algorithm_ == DigestAlgorithm::sha256) {
        SHA256_CTX copy = sha256_;
        SHA256_Final(hash.data(), &copy);
    } else {
        SHA512_CTX copy = sha512_;
        SHA512_Final(hash.data(), &copy);
    }
    return {algorithm_, std::as_bytes(std::span{hash}).first(digest_size_bytes(algorithm_))};
}

std::vector<std::byte> Hasher::save() const {
    std::vector<std::byte> state;
    state.reserve(1 + 8 + 64 + 128);
    state.push_back(static_cast<std::byte>(algorithm_));
    state.resize(9);
    store_le(state.data() + 1, size_bytes_);
    const auto partial = static_cast<std::size_t>(size_bytes_ % block_size_bytes(algorithm_));
    const void* block = nullptr;
    if (algorithm_ == DigestAlgorithm::sha256) {
        for (const auto word : sha256_.h) put_be<std::uint32_t>(state, word);
        block = sha256_.data;
    } else {
        for (const auto word : sha512_.h) put_be<std::uint64_t>(state, word);
        block = sha512_.u.p;
    }
    const auto* bytes = static_cast<const std::byte*>(block);
    state.insert(state.end(), bytes, bytes + partial);
    return state;
}

Result<Hasher> Hasher::restore(ByteView state) noexcept {
    if (state.size() < 9) return fail(BaseErrc::hash_state_invalid);
    const auto number = std::to_integer<std::uint8_t>(state[0]);
    if (number != 1 && number != 2) return fail(BaseErrc::hash_state_invalid);
    const auto algorithm = static_cast<DigestAlgorithm>(number);
    const auto size = load_le<std::uint64_t>(state.data() + 1);
    const auto partial = static_cast<std::size_t>(size % block_size_bytes(algorithm));
    const std::size_t words = digest_size_bytes(algorithm);
    if (state.size() != 9 + words + partial || size >> 60 != 0)
        return fail(BaseErrc::hash_state_invalid);
    const ByteView chain = state.subspan(9, words);
    const ByteView block = state.subspan(9 + words);
    Hasher hasher{algorithm};
    hasher.size_bytes_ = size;
    if (algorithm == DigestAlgorithm::sha256) {
        for (std::size_t i = 0; i < 8; ++i)
            hasher.sha256_.h[i] = get_be<std::uint32_t>(chain.subspan(4 * i, 4));
        hasher.sha256_.Nl = static_cast<SHA_LONG>(size << 3);
        hasher.sha256_.Nh = static_cast<SHA_LONG>(size >> 29);
        std::memcpy(hasher.sha256_.data, block.data(), block.size());
        hasher.sha256_.num = static_cast<unsigned>(partial);
    } else {
        for (std::size_t i = 0; i < 8; ++i)
            hasher.sha512_.h[i] = get_be<std::uint64_t>(chain.subspan(8 * i, 8));
        hasher.sha512_.Nl = size << 3;
        hasher.sha512_.Nh = size >> 61;
        std::memcpy(hasher.sha512_.u.p, block.data(), block.size());
        hasher.sha512_.num = static_cast<unsigned>(partial);
    }
    return hasher;
}

bool Hasher::self_test() noexcept {
    std::array<std::byte, 1000> content;
    for (std::size_t i = 0; i < content.size(); ++i) content[i] = static_cast<std::byte>(i * 7);
    for (const auto algorithm : {DigestAlgorithm::sha256, DigestAlgorithm::sha512}) {
        for (const std::size_t cut :
             {std::size_t{0}, std::size_t{1}, std::size_t{128}, std::size_t{333}}) {
            Hasher first{algorithm};
            first.update(ByteView{content}.first(cut));
            auto second = restore(first.save());
            if (!second) return false;
            second.value().update(ByteView{content}.subspan(cut));
            Hasher whole{algorithm};
            whole.update(content);
            if (second.value().digest() != whole.digest()) return false;
        }
    }
    return true;
}

}  // namespace orbitalreg
