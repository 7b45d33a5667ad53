import Environment
import Testing

@Suite struct RecentSetTests {
    @Test func `what comes again is known, the oldest are forgotten`() {
        var recent = RecentSet<String>(capacity: 2)
        let verdicts = ["a", "a", "b", "c", "b", "a"].map { recent.insert($0) }
        #expect(verdicts == [true, false, true, true, false, true])
    }

    @Test func `a capacity below one remembers one`() {
        var recent = RecentSet<Int>(capacity: 0)
        #expect([1, 1, 2, 1].map { recent.insert($0) } == [true, false, true, true])
    }
}
