#include "scrub/damage_marks.h"

#include "cas/errors.h"
#include "index/encoded_digest.h"
#include "schema/records_generated.h"

#include <utility>

namespace orbitalreg::cas {
namespace {

constexpr std::int64_t kMinuteNs = 60'000'000'000;

// BlobDamaged and BlobHealed have the same body, a digest.
GroupRecord encode(RecordType type, BlobId id, const BlobView& blob) {
    flatbuffers::FlatBufferBuilder builder{128};
    builder.Finish(records::CreateBlobDamaged(builder, encode_digest(builder, blob.digest)));
    GroupRecord record;
    record.type = static_cast<std::uint16_t>(type);
    record.blob = id;
    record.uid = blob.extent.uid;
    const auto* body = reinterpret_cast<const std::byte*>(builder.GetBufferPointer());
    record.body.assign(body, body + builder.GetSize());
    return record;
}

Group group_of(const BlobView& blob) {
    Group group;
    group.keys.exclusive.push_back(digest_key(blob.digest));
    return group;
}

}  // namespace

bool DamageLimiter::admit(bool& tripped) {
    const std::lock_guard lock{mutex_};
    tripped = false;
    if (storm_.load(std::memory_order_relaxed)) return false;
    const std::int64_t now_ns = clock_.steady_ns();
    while (!recent_ns_.empty() && now_ns - recent_ns_.front() >= kMinuteNs) recent_ns_.pop_front();
    if (recent_ns_.size() >= per_minute_max_) {
        tripped = true;
        storm_.store(true, std::memory_order_relaxed);
        return false;
    }
    recent_ns_.push_back(now_ns);
    return true;
}

void DamageLimiter::resume() {
    const std::lock_guard lock{mutex_};
    recent_ns_.clear();
    storm_.store(false, std::memory_order_relaxed);
}

DamageMarks::DamageMarks(Clock& clock, Log& log, Metrics& metrics, const BlobTable& blobs,
                         std::uint32_t per_minute_max)
    : log_{log},
      blobs_{blobs},
      limiter_{clock, per_minute_max},
      marks_total_{metrics.counter("damage_marks_total",
                                   "Blobs marked damaged: two reads failed their checksum.")},
      cleared_total_{metrics.counter("damage_cleared_total",
                                     "Marks taken back because the bytes verified again.")},
      refused_total_{metrics.counter("damage_marks_refused_total",
                                     "Marks not made because there were too many in a minute.")},
      storm_gauge_{
          metrics.gauge("damage_storm", "1 while too much damage in a minute stopped marking.")} {}

Result<void> DamageMarks::check_mark(Group& group, const BlobView& blob) {
    const auto known = blobs_.find(blob.digest);
    if (!known || known->damaged || !(known->extent == blob.extent)) {
        return fail(Errc::precondition_failed);
    }
    bool tripped = false;
    if (!limiter_.admit(tripped)) {
        refused_total_.add();
        if (tripped) {
            storm_gauge_.set(1);
            log_.error(
                "too many blobs were found damaged within a minute: no more are marked, and "
                "nothing is collected, until the next start; look at the device first",
                {});
            if (on_storm) on_storm("too many blobs were found damaged within a minute");
        }
        return fail(Errc::overloaded);
    }
    marks_total_.add();
    group.records.push_back(encode(RecordType::blob_damaged, known->id, blob));
    return ok();
}

Result<void> DamageMarks::check_clear(Group& group, const BlobView& blob) const {
    const auto known = blobs_.find(blob.digest);
    if (!known || !known->damaged || !(known->extent == blob.extent)) {
        return fail(Errc::precondition_failed);
    }
    group.records.push_back(encode(RecordType::blob_healed, known->id, blob));
    return ok();
}

Awaitable<void> DamageMarks::mark(std::shared_ptr<DamageMarks> self, BlobView blob) {
    Committer* const log = self->committer_.load();
    if (log == nullptr) co_return;
    self->log_.error("a blob's bytes fail their checksum",
                     {{"digest", blob.digest.to_string()},
                      {"lane", blob.extent.in_lane ? blob.extent.file : 0},
                      {"segment", blob.extent.in_lane ? 0 : blob.extent.file},
                      {"position", blob.extent.position}});
    Group group = group_of(blob);
    group.check = [self, blob](Group& own, const FrameContext&) {
        return self->check_mark(own, blob);
    };
    const auto committed = co_await log->commit(std::move(group));
    if (committed || committed.error() == make_error_code(Errc::precondition_failed)) co_return;
    self->log_.warn("the damage is not recorded",
                    {{"digest", blob.digest.to_string()}, {"error", committed.error().message()}});
}

Awaitable<void> DamageMarks::clear(std::shared_ptr<DamageMarks> self, BlobView blob) {
    Committer* const log = self->committer_.load();
    if (log == nullptr) co_return;
    Group group = group_of(blob);
    group.check = [self, blob](Group& own, const FrameContext&) {
        return self->check_clear(own, blob);
    };
    const auto committed = co_await log->commit(std::move(group));
    if (!committed) co_return;
    self->cleared_total_.add();
    self->log_.info("a damaged blob's bytes verify again: it is served again",
                    {{"digest", blob.digest.to_string()}});
}

void DamageMarks::resume() {
    limiter_.resume();
    storm_gauge_.set(0);
    log_.warn("blobs found damaged are marked again", {});
}

Result<void> verify_damage_record(const AppliedRecord& record) noexcept {
    flatbuffers::Verifier verifier{reinterpret_cast<const std::uint8_t*>(record.body.data()),
                                   record.body.size()};
    if (!verifier.VerifyBuffer<records::BlobDamaged>(nullptr)) return fail(Errc::bad_format);
    const auto* body = flatbuffers::GetRoot<records::BlobDamaged>(record.body.data());
    if (!decode_digest(body->digest()) || record.uid == 0) return fail(Errc::bad_format);
    return ok();
}

}  // namespace orbitalreg::cas
