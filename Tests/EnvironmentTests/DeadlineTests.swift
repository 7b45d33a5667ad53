import Environment
import Testing

@Suite struct DeadlineTests {
    @Test func passes() {
        #expect(Deadline.now().hasPassed)
        #expect(Deadline.after(.seconds(-1)).remaining == .zero)
        let far = Deadline.after(.seconds(60))
        #expect(!far.hasPassed)
        #expect(far.remaining > .seconds(50) && far.remaining <= .seconds(60))
    }

    @Test("arithmetic with a peer's durations saturates")
    func saturates() {
        let deadline = Deadline(nanoseconds: 100)
        #expect(deadline + .nanoseconds(5) == Deadline(nanoseconds: 105))
        #expect(deadline + .nanoseconds(-5) == Deadline(nanoseconds: 95))
        #expect(deadline - .nanoseconds(5) == Deadline(nanoseconds: 95))
        #expect(deadline - .nanoseconds(-5) == Deadline(nanoseconds: 105))
        #expect(deadline - .seconds(1) == Deadline(nanoseconds: 0))
        #expect(Deadline.distantFuture + .seconds(1) == .distantFuture)
        #expect(Deadline.distantFuture - .seconds(-1) == .distantFuture)
        #expect(Deadline.after(.seconds(Int64.max)) > .after(.seconds(1_000_000_000)))
        #expect(Deadline.distantFuture.remaining > .seconds(1_000_000_000))
        #expect(Deadline.distantFuture.duration(to: deadline) == .nanoseconds(-Int64.max))
        #expect(deadline.duration(to: Deadline(nanoseconds: 40)) == .nanoseconds(-60))
        #expect(deadline.duration(to: Deadline(nanoseconds: 140)) == .nanoseconds(40))
    }
}
