public import Postgres

/// Locks by number, for what has no row yet; they end with the transaction.
///
/// Before all rows in the lock order: who waits here holds no row that another waits for.
public enum AdvisoryLock {
    /// - Parameter digest: at least 64 bits, evenly distributed: two with one number wait for each
    ///   other without a reason.
    public static func number(_ digest: [UInt8]) -> Int64 {
        digest.prefix(8).reduce(Int64(0)) { $0 << 8 | Int64($1) }
    }

    /// One statement of one text for any number of locks, taken ascending.
    public static func take(_ numbers: some Sequence<Int64>) -> SQL {
        """
        select pg_advisory_xact_lock(n)
        from (select n from unnest(\(Set(numbers).sorted())) n order by n) l
        """
    }
}
