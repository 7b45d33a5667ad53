import Protobuf

/// What a filter can name. A course by UUID or code, a session (a class on a timetable) by slot id.
enum FilterDimension: String, Sendable, Hashable, CaseIterable {
    case course = "course_id"
    case room = "room_id"
    case session = "session_id"
}

/// One value of one dimension, lower case: the key of the hub's index.
struct FilterKey: Sendable, Hashable {
    let dimension: FilterDimension
    let value: String

    init(_ dimension: FilterDimension, _ value: String) {
        self.dimension = dimension
        self.value = value.lowercased()
    }
}

/// The filters of one subscription (B-06, X-44): any value within a dimension, every dimension
/// that the event has, and at least one.
struct SubscriptionFilter: Sendable, Hashable {
    let keys: Set<FilterKey>
    private let dimensions: Set<FilterDimension>

    init(keys: Set<FilterKey>) {
        self.keys = keys
        dimensions = Set(keys.map(\.dimension))
    }

    /// Values are strings, alone or in an array; null counts as absent. Nil when it is anything
    /// else, names nothing, or names more than `maxValues`.
    init?(_ value: JSONValue, maxValues: Int) {
        guard case .object(let members) = value else { return nil }
        var keys: Set<FilterKey> = []
        for (name, value) in members {
            guard let dimension = FilterDimension(rawValue: name) else { return nil }
            switch value {
            case .null: continue
            case .string(let text):
                guard Self.isValue(text) else { return nil }
                keys.insert(FilterKey(dimension, text))
            case .array(let list):
                for element in list {
                    guard let text = element.string, Self.isValue(text) else { return nil }
                    keys.insert(FilterKey(dimension, text))
                }
            default: return nil
            }
        }
        guard (1...maxValues).contains(keys.count) else { return nil }
        self.init(keys: keys)
    }

    private static func isValue(_ text: String) -> Bool { (1...64).contains(text.utf8.count) }

    /// Whether a key in common is enough: nothing else is asked for.
    var hasOneDimension: Bool { dimensions.count == 1 }

    func matches(_ event: Set<FilterKey>) -> Bool {
        var matched = false
        for dimension in dimensions {
            let named = event.filter { $0.dimension == dimension }
            guard !named.isEmpty else { continue }
            guard !named.isDisjoint(with: keys) else { return false }
            matched = true
        }
        return matched
    }
}
