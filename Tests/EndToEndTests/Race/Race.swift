import FakeProvider
import Foundation
import Protobuf
import RPC
import Schema
import Synchronization
import TestKit
import Testing

/// One race: the world, the callers, and how far it is.
final class Race: Sendable {
    let world: RaceWorld
    let caller: RaceCaller
    let nemesis: Nemesis
    let seed: UInt64
    /// How many attempts it is over after.
    let limit: Int
    /// How long it takes at least: what lapses, and who is killed, needs its time.
    static let leastTime = Duration.seconds(20)
    /// How long it waits for what has not happened yet: a slow machine has fewer of everything.
    static let mostTime = Duration.seconds(1800)
    private let began = ContinuousClock.now
    private let keys = Atomic<UInt64>(0)
    private let told = Atomic<Int>(0)
    private let lost = Mutex<[String]>([])
    private let mark = UUID().uuidString.prefix(8)

    init(
        _ world: RaceWorld, _ caller: RaceCaller, _ nemesis: Nemesis, seed: UInt64, limit: Int
    ) {
        self.world = world
        self.caller = caller
        self.nemesis = nemesis
        self.seed = seed
        self.limit = limit
    }

    var isOver: Bool {
        let attempts = caller.journal.attempts
        let step = max(1, limit / 10)
        let next = told.load(ordering: .relaxed) + 1
        if next <= 10, attempts / step >= next,
            told.compareExchange(expected: next - 1, desired: next, ordering: .relaxed).exchanged
        {
            say("\(attempts) attempts after \(took)")
        }
        let time = began.duration(to: .now)
        guard attempts >= limit, time >= Self.leastTime, hasSeenAll || time > Self.mostTime else {
            return false
        }
        caller.pace.close()
        return true
    }

    /// Whether everything has happened without which the race is void.
    private var hasSeenAll: Bool {
        let done = caller.done
        return nemesis.strikes >= Nemesis.least && caller.settled > 0 && caller.replays > 0
            && caller.refusedBodies > 0 && caller.overEdge > 0 && done["callback", default: 0] >= 60
            && RaceVerdict.awaited.subtracting(["replay"]).isSubset(of: done.keys)
    }

    var took: String { "\(began.duration(to: .now).components.seconds) s" }

    func say(_ text: String) { print("race: \(text)") }

    /// A key, or a name, that nobody has used.
    func key() -> String { "\(mark)-\(keys.add(1, ordering: .relaxed).newValue)" }

    // MARK: Callbacks

    /// The provider's callback about a payment does not arrive for the present.
    func lose(_ payment: String) { lost.withLock { $0.append(payment) } }

    /// The provider calls again about what was lost.
    func redeliver() async {
        for payment in lost.withLock({ $0 }) { await deliver(payment, by: 0, overEdge: false) }
    }

    /// The provider's callback about a payment as it stands.
    func deliver(_ payment: String, by client: Int, overEdge: Bool) async {
        guard let charge = world.provider.charge(payment) else { return }
        let callback = world.provider.callback(charge)
        var request = PaymentV1.ProviderCallbackRequest()
        request.provider = callback.dialect.rawValue
        request.body = .init()
        request.body?.data = callback.body
        request.callbackToken = callback.token
        let form = RaceCaller.JSONForm<PaymentV1.ProviderCallbackResponse>(
            path: "/api/payments/callbacks/\(callback.dialect.rawValue)", body: callback.body,
            headers: callback.token.isEmpty ? [] : [("x-callback-token", callback.token)]
        ) { data in
            var response = PaymentV1.ProviderCallbackResponse()
            response.outcome = data["outcome"]?.string ?? ""
            return response
        }
        let answer: PaymentV1.ProviderCallbackResponse? = await caller.send(
            "callback", by: client, key: "", about: payment,
            PaymentV1.PaymentsMethods.providerCallback, request, form: overEdge ? form : nil
        ) { $0.outcome }
        if answer == nil { Issue.record("a true callback was refused: \(payment)") }
    }
}
