import Environment
import Testing

@Suite struct ClockTests {
    @Test func fixed() {
        let clock = Clock.fixed(Instant(microseconds: 7))
        #expect(clock.now() == Instant(microseconds: 7))
        #expect(Clock.system.now() > Instant(microseconds: 7))
    }

    @Test("a manual clock moves only when told, for every holder")
    func manual() {
        let manual = ManualClock(Instant(microseconds: 5))
        let clock = manual.clock
        #expect(clock.now() == Instant(microseconds: 5))
        manual.advance(by: .milliseconds(1))
        #expect(clock.now() == Instant(microseconds: 1005))
        manual.set(Instant(microseconds: 1))
        #expect(clock.now() == manual.now)
        #expect(manual.now == Instant(microseconds: 1))
    }
}
