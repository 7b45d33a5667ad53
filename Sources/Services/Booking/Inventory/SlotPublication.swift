import Domain
import Environment
import Protobuf
import Schema

/// A slot as it is published.
struct SlotPublication: Sendable, Hashable {
    let id: UUID
    /// By id, each once. Those without a name must be known already.
    let resources: [NamedResource]
    let startsAt: Instant
    let endsAt: Instant
    let capacity: Int
    let price: Int64?

    static let limit = 1000
    static let resourceLimit = 20

    /// - Returns: nil when a rule was broken; the rules know which.
    init?(_ message: BookingV1.SlotPublication, _ path: String, _ rules: inout FieldRules) {
        let before = rules.violations.count
        let id = rules.uuid(message.id, "\(path).id")
        resources = Self.resources(message, path, &rules)
        if message.startTime == nil { rules.refuse("\(path).start_time", "is required") }
        if message.endTime == nil { rules.refuse("\(path).end_time", "is required") }
        let start = rules.instant(message.startTime, "\(path).start_time")
        let end = rules.instant(message.endTime, "\(path).end_time")
        if let start, let end, end <= start {
            rules.refuse("\(path).end_time", "is not after the start")
        } else if let start, let end, start.duration(to: end) > SlotNeighbours.longest {
            rules.refuse("\(path).end_time", "is more than 7 days after the start")
        }
        if !(1...10_000).contains(message.capacity) {
            rules.refuse("\(path).capacity", "is not between 1 and 10000")
        }
        rules.price(message.price, "\(path).price")
        guard rules.violations.count == before, let id, let start, let end else { return nil }
        (self.id, startsAt, endsAt) = (id, start, end)
        capacity = Int(message.capacity)
        price = message.price
    }

    private static func resources(
        _ message: BookingV1.SlotPublication, _ path: String, _ rules: inout FieldRules
    ) -> [NamedResource] {
        var found: [UUID: NamedResource] = [:]
        func add(_ resource: BookingV1.NamedResource, _ kind: String, _ field: String) {
            guard let id = rules.uuid(resource.id, "\(field).id") else { return }
            if !resource.name.isEmpty {
                rules.text(resource.name, "\(field).name", limit: 200)
                if !ResourceKind.isKind(kind) {
                    rules.refuse("\(field).kind", "is not a word in lower case")
                }
            }
            found[id] = NamedResource(id: id, name: resource.name, kind: kind)
        }
        if let instructor = message.instructor {
            add(instructor, "instructor", "\(path).instructor")
        }
        if let room = message.room { add(room, "room", "\(path).room") }
        if message.resources.count > resourceLimit {
            rules.refuse("\(path).resources", "holds more than \(resourceLimit)")
        }
        for (index, resource) in message.resources.prefix(resourceLimit).enumerated() {
            add(resource, resource.kind, "\(path).resources[\(index)]")
        }
        if found.isEmpty { rules.refuse("\(path).resources", "is required") }
        return found.values.sorted { $0.id < $1.id }
    }
}

/// What a kind of resource or offering looks like: `instructor`, `treatment_room`.
enum ResourceKind {
    static func isKind(_ text: String) -> Bool {
        let letters = UInt8(ascii: "a")...UInt8(ascii: "z")
        guard let first = text.utf8.first, letters.contains(first), text.utf8.count <= 32 else {
            return false
        }
        return text.utf8.allSatisfy {
            letters.contains($0) || $0 == UInt8(ascii: "_")
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
        }
    }
}
