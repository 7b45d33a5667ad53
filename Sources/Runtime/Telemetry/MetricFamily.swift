/// All metrics of one name.
struct MetricFamily: Sendable {
    enum Kind: String {
        case counter, gauge, histogram
    }

    enum Metric: Sendable {
        case counter(Counter)
        case gauge(Gauge)
        case observed(@Sendable () -> Double)
        case histogram(Histogram)
    }

    struct Label: Hashable, Sendable {
        let name: String
        let value: String
    }

    let name: String
    let help: String
    let kind: Kind
    var members: [(labels: [Label], metric: Metric)] = []
}

/// The families of a registry in the order of their first registration.
struct Families: Sendable {
    private(set) var ordered: [MetricFamily] = []
    private var indexes: [String: Int] = [:]

    mutating func metric(
        _ name: String, help: String, labels: [(String, String)], kind: MetricFamily.Kind,
        make: () -> MetricFamily.Metric
    ) -> MetricFamily.Metric {
        let labels = labels.map { MetricFamily.Label(name: $0.0, value: $0.1) }
        for label in labels {
            precondition(
                Self.isName(label.name, colons: false) && label.name != "le",
                "bad label name: \(label.name)")
        }
        let index = indexes[name] ?? insert(name, help: help, kind: kind)
        precondition(ordered[index].kind == kind, "\(name) is a \(ordered[index].kind)")
        let wanted = Set(labels)
        precondition(wanted.count == labels.count, "\(name) has a label twice")
        if let member = ordered[index].members.first(where: { Set($0.labels) == wanted }) {
            return member.metric
        }
        let metric = make()
        ordered[index].members.append((labels, metric))
        return metric
    }

    private mutating func insert(_ name: String, help: String, kind: MetricFamily.Kind) -> Int {
        precondition(Self.isName(name, colons: true), "bad metric name: \(name)")
        ordered.append(MetricFamily(name: name, help: help, kind: kind))
        indexes[name] = ordered.count - 1
        return ordered.count - 1
    }

    /// `[a-zA-Z_:][a-zA-Z0-9_:]*`, without colons for labels.
    static func isName(_ name: String, colons: Bool) -> Bool {
        var isFirst = true
        for byte in name.utf8 {
            switch byte {
            case 0x41...0x5A, 0x61...0x7A, UInt8(ascii: "_"): break
            case UInt8(ascii: ":") where colons: break
            case 0x30...0x39 where !isFirst: break
            default: return false
            }
            isFirst = false
        }
        return !isFirst
    }
}
