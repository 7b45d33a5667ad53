#if DEBUG
    import Glibc
#endif

/// Mistakes that `deploy/planted-bugs` plants one at a time, to prove that the tests would find them
/// (reliability.md §2.4). Only in debug builds, and there only by the variable PLANTED_BUG; in a
/// release every one of them is the constant `false`.
public enum PlantedBug: String, CaseIterable, Sendable {
    /// The same key lets another request pass.
    case keyWithoutHash = "key-without-hash"
    /// The key is taken in a transaction of its own: a refusal or a crash leaves it stuck.
    case keyOutsideTransaction = "key-outside-transaction"
    /// The answer is not kept with the key.
    case answerNotKept = "answer-not-kept"
    /// A lost COMMIT is taken for a failed one.
    case lostCommitGivenUp = "lost-commit-given-up"
    /// A retry runs under a fresh key.
    case retryUnderNewKey = "retry-under-new-key"
    /// The key is good for everybody.
    case keyWithoutCaller = "key-without-caller"
    /// The captcha is asked before the key is looked up.
    case captchaBeforeKey = "captcha-before-key"
    /// The relay reads in the order of transaction ids.
    case relayByTransaction = "relay-by-transaction"
    /// The relay reads on after the highest id it has seen.
    case relayByCursor = "relay-by-cursor"
    /// Events are marked before they are delivered.
    case markBeforeDelivery = "mark-before-delivery"
    /// Lists read past transactions that still run.
    case listWithoutHorizon = "list-without-horizon"
    /// A record that cannot be understood is passed over.
    case skipPoison = "skip-poison"
    /// Dead holds are freed by the sweeper only.
    case janitorOnlyExpiry = "janitor-only-expiry"
    /// What a refused order found dead is committed without its seats.
    case seatsLostByRefusal = "seats-lost-by-refusal"
    /// A seat is given though a resource is occupied.
    case occupiedTakenForFree = "occupied-taken-for-free"
    /// The answer leaves although the COMMIT has failed.
    case answerBeforeCommit = "answer-before-commit"
    /// A lost COMMIT is looked up instead of waited for, and done again when it is not there yet.
    case retryBySelect = "retry-by-select"
    /// A hold ends by the clock of the process that made it.
    case expiryByAppClock = "expiry-by-app-clock"
    /// Slots are read without their locks.
    case slotNotLocked = "slot-not-locked"
    /// Seats are given without counting.
    case capacityUnchecked = "capacity-unchecked"
    /// A booking that ends or moves keeps its seats.
    case seatsNotReleased = "seats-not-released"
    /// A callback is believed without asking the provider.
    case callbackBelieved = "callback-believed"
    /// The signature of a callback is not looked at.
    case callbackUnsigned = "callback-unsigned"
    /// A late report takes a charge back to what it was.
    case statusRegress = "status-regress"
    /// What is paid after the end of a booking is kept.
    case lateMoneyKept = "late-money-kept"
    /// The signature of a customer's link or code is not looked at.
    case linkUnsigned = "link-unsigned"
    /// What becomes free is offered to those who wait by the sweeper only.
    case lineJumped = "line-jumped"
    /// The last in line is offered what becomes free.
    case lineReversed = "line-reversed"
    /// Whoever knows the number of an entry may claim what it is offered.
    case claimUnproved = "claim-unproved"
    /// Who shares a transaction fails with the others.
    case batchFailsTogether = "batch-fails-together"
    /// Who is refused in a shared transaction keeps his seat there.
    case refusedKeepsSeat = "refused-keeps-seat"
    /// Who waited stays known when nothing can come of it any more.
    case waiterKept = "waiter-kept"
    /// The key of a request is not locked before its slot.
    case keyNotLocked = "key-not-locked"
    /// Who waits for a seat whose resource becomes free is told by the sweeper only.
    case freedLineForgotten = "freed-line-forgotten"
    /// What is archived is not looked at again once it is locked.
    case archiveUnchecked = "archive-unchecked"
    /// Only the selected events are published again, not what followed them.
    case replayWithoutRest = "replay-without-rest"

    #if DEBUG
        private static let planted = getenv("PLANTED_BUG").flatMap {
            PlantedBug(rawValue: String(cString: $0))
        }

        public var isPlanted: Bool { Self.planted == self }
    #else
        @inlinable public var isPlanted: Bool { false }
    #endif
}
