// Tells the thread sanitizer what Swift's Mutex does under contention.
//
// The fast paths of `Synchronization.Mutex` are atomics in the caller's code, which the sanitizer
// sees. When two threads meet, the library (which is not instrumented) has the kernel hand the lock
// over (FUTEX_LOCK_PI, FUTEX_UNLOCK_PI): the sanitizer sees no order between the two and reports
// the guarded value as a race. Four threads that each add 1 to a `Mutex<Int>` 100,000 times are
// enough; the sum is right, the report comes all the same (contended.swift, run by deploy/tsan).
//
// Preloaded, this calls the same functions and says: what was before the unlock is before the
// lock. Nothing is hidden: a value that is also touched without its lock is still reported.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdint.h>

extern void __tsan_acquire(void *address) __attribute__((weak));
extern void __tsan_release(void *address) __attribute__((weak));

#define SELF __attribute__((swift_context)) void *self
#define SWIFT __attribute__((swiftcall))

// Synchronization._MutexHandle._lockSlow(Swift.UInt32)
#define LOCK "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
// Synchronization._MutexHandle._unlockSlow()
#define UNLOCK "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"
// Synchronization._MutexHandle._tryLockSlow() -> Swift.Bool
#define TRY "$s15Synchronization12_MutexHandleV12_tryLockSlowSbyF"

SWIFT void lock_slow(uint32_t owner, SELF) __asm__(LOCK);
SWIFT void unlock_slow(SELF) __asm__(UNLOCK);
SWIFT _Bool try_slow(SELF) __asm__(TRY);

SWIFT void lock_slow(uint32_t owner, SELF) {
    static SWIFT void (*next)(uint32_t, SELF);
    if (!next) next = (SWIFT void (*)(uint32_t, SELF))dlsym(RTLD_NEXT, LOCK);
    next(owner, self);
    if (__tsan_acquire) __tsan_acquire(self);
}

SWIFT void unlock_slow(SELF) {
    static SWIFT void (*next)(SELF);
    if (!next) next = (SWIFT void (*)(SELF))dlsym(RTLD_NEXT, UNLOCK);
    if (__tsan_release) __tsan_release(self);
    next(self);
}

SWIFT _Bool try_slow(SELF) {
    static SWIFT _Bool (*next)(SELF);
    if (!next) next = (SWIFT _Bool (*)(SELF))dlsym(RTLD_NEXT, TRY);
    _Bool taken = next(self);
    if (taken && __tsan_acquire) __tsan_acquire(self);
    return taken;
}
