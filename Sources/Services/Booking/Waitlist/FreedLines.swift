import Domain
import Environment
import Postgres
import Schema

extension BookingStore {
    /// Offers the seats of slots to their lines, right after the commit of what frees their
    /// resources. Not in it: the rows of slots are locked before claims and resources.
    ///
    /// The caller waits for it, so it ends after ``freedTime`` and ``freedLimit`` slots: whoever is
    /// not told so, as by a process that ends in between, is by ``SeatSweeper``.
    ///
    /// - Parameter freed: slots that needed what is freed, as they are then.
    func serveLines(
        of freed: [Slot], at now: Instant, after transaction: PostgresTransaction
    ) {
        let due = freed.filter { WaitlistRules.isDue($0, now: now) }
            .sorted { ($0.startsAt, $0.id) < ($1.startsAt, $1.id) }
        guard !due.isEmpty, !PlantedBug.freedLineForgotten.isPlanted else { return }
        transaction.afterCommit { [self] in
            let deadline = Deadline.after(Self.freedTime)
            for slot in due.prefix(Self.freedLimit) where !deadline.hasPassed {
                _ = try? await SeatSweep(store: self).settle(slot.id, deadline: deadline)
            }
        }
    }

    /// For all slots of one commit.
    static let freedTime = Duration.seconds(3)
    static let freedLimit = 50
}
