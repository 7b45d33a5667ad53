import Glibc

/// Each browser is an open descriptor, and the usual soft limit of 1,024 is meant for programs
/// that use select(2), which nothing here does.
enum FileLimit {
    /// Raises the soft limit to the hard one; keeps the old one when that is refused.
    static func raise() {
        var limit = rlimit()
        let kind = __rlimit_resource_t(RLIMIT_NOFILE.rawValue)
        guard getrlimit(kind, &limit) == 0, limit.rlim_cur < limit.rlim_max else { return }
        limit.rlim_cur = limit.rlim_max
        setrlimit(kind, &limit)
    }
}
