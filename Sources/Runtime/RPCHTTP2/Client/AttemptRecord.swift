import Environment
import RPC

/// One attempt of a call whose interceptors want to know of it. Loop only.
final class AttemptRecord {
    private let hooks: CallHooks
    private var began: Deadline?
    private var sentBytes = 0
    private var receivedBytes = 0

    /// Nil: nobody wants to know.
    init?(_ hooks: CallHooks) {
        guard hooks.watchesAttempts else { return nil }
        self.hooks = hooks
    }

    func begin() {
        guard began == nil else { return }
        began = .now()
        hooks.attempt(.began)
    }

    func sent(_ bytes: Int) { sentBytes += bytes }

    /// Of DATA, with the messages' prefixes.
    func received(_ bytes: Int) { receivedBytes += bytes }

    /// The record is as new then: the call may be sent once more.
    func end(_ error: RPCError?, messages: Int) {
        guard let began else { return }
        let outcome = AttemptOutcome(
            error: error, duration: began.duration(to: .now()), sentBytes: sentBytes,
            receivedBytes: max(0, receivedBytes - 5 * messages))
        self.began = nil
        sentBytes = 0
        receivedBytes = 0
        hooks.attempt(.ended(outcome))
    }
}
