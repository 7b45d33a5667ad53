import Domain
import Environment
import Schema
import Testing

@testable import Booking

struct PageTokenTests {
    @Test("a token says where the page ended, in letters that fit into a URL")
    func roundTrip() {
        let token = PageToken(at: Instant(microseconds: 1_764_633_600_123_456), id: .random())
        var rules = FieldRules()
        #expect(PageToken.read(token.text, "page_token", &rules) == token)
        #expect(rules.violations.isEmpty)
        #expect(!token.text.contains { "+/=".contains($0) })
    }

    @Test("no token is the first page")
    func empty() {
        var rules = FieldRules()
        #expect(PageToken.read("", "page_token", &rules) == nil)
        #expect(rules.violations.isEmpty)
    }

    @Test(
        "what is no token of ours is refused",
        arguments: ["x", "!!!!", "YWJj", "MSAy", "MTIz", String(repeating: "A", count: 5000)])
    func garbage(_ text: String) {
        var rules = FieldRules()
        #expect(PageToken.read(text, "page_token", &rules) == nil)
        #expect(rules.violations.map(\.field) == ["page_token"])
    }

    @Test(
        "pages have 0…200 rows, 50 when nothing is said",
        arguments: [(0, 50), (1, 1), (200, 200), (-1, nil), (201, nil)] as [(Int32, Int?)])
    func size(_ size: Int32, _ expected: Int?) throws {
        var request = BookingV1.ListPendingRequest()
        request.pageSize = size
        guard let expected else {
            let error = #expect(throws: DomainError.self) { try QueuePage(request) }
            #expect(error?.violations.map(\.field) == ["page_size"])
            return
        }
        #expect(try QueuePage(request).size == expected)
    }
}
