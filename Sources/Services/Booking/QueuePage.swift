import Crypto
import Domain
import Environment
import Schema

/// One page of the admin's queue, by keyset: stable while rows come and go.
struct QueuePage: Sendable {
    let size: Int
    let needsSlot: Bool
    let offering: UUID?
    let after: PageToken?

    init(_ request: BookingV1.ListPendingRequest) throws(DomainError) {
        var rules = FieldRules()
        if !(0...200).contains(request.pageSize) {
            rules.refuse("page_size", "is not between 0 and 200")
        }
        offering = request.courseId.isEmpty ? nil : rules.uuid(request.courseId, "course_id")
        after = PageToken.read(request.pageToken, "page_token", &rules)
        try rules.check()
        size = request.pageSize == 0 ? 50 : Int(request.pageSize)
        needsSlot = request.needsSlot
    }
}

/// Where a page ended: a time and an id. Opaque to clients.
struct PageToken: Sendable, Hashable {
    let at: Instant
    let id: UUID

    var text: String {
        Base64.encode(Array("\(at.microseconds) \(id)".utf8), variant: .url)
    }

    init(at: Instant, id: UUID) {
        self.at = at
        self.id = id
    }

    static func read(_ text: String, _ field: String, _ rules: inout FieldRules) -> PageToken? {
        if text.isEmpty { return nil }
        guard let bytes = Base64.decode(text, variant: .url) else {
            rules.refuse(field, "is not a token of ours")
            return nil
        }
        let parts = String(decoding: bytes, as: UTF8.self).split(separator: " ")
        // Years 1653 to 2286: what PostgreSQL surely knows.
        guard parts.count == 2, let time = Int64(parts[0]), abs(time / 1_000_000) < 10_000_000_000,
            let id = UUID(String(parts[1]))
        else {
            rules.refuse(field, "is not a token of ours")
            return nil
        }
        return PageToken(at: Instant(microseconds: time), id: id)
    }
}
