#pragma once
// ORB_ASSERT states what our own code guarantees; it stays on in release builds and aborts.
// ORB_ASSERT_SLOW is for checks whose cost shows; it runs where ORB_SLOW_ASSERTS is defined or NDEBUG is not.
// Bytes from disk or network are never asserted: they are checked and answered with an error.

namespace orbitalreg {

[[noreturn]] void assertion_failed(const char* expression, const char* file, int line) noexcept;

}  // namespace orbitalreg

#define ORB_ASSERT(condition)     \
    (static_cast<bool>(condition) \
         ? static_cast<void>(0)   \
         : ::orbitalreg::assertion_failed(#condition, __FILE__, __LINE__))

#if !defined(NDEBUG) || defined(ORB_SLOW_ASSERTS)
#define ORB_ASSERT_SLOW(condition) ORB_ASSERT(condition)
#else
#define ORB_ASSERT_SLOW(condition) static_cast<void>(0)
#endif
