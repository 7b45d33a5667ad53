/// Renders metric families as Prometheus text exposition format 0.0.4
/// (https://prometheus.io/docs/instrumenting/exposition_formats/).
struct PrometheusText {
    private(set) var text = ""

    mutating func add(_ family: MetricFamily) {
        text += "# HELP \(family.name) \(Self.escaped(family.help, quotes: false))\n"
        text += "# TYPE \(family.name) \(family.kind.rawValue)\n"
        for (labels, metric) in family.members {
            switch metric {
            case .counter(let counter): add(family.name, labels, counter.value.description)
            case .gauge(let gauge): add(family.name, labels, Self.number(gauge.value))
            case .observed(let read): add(family.name, labels, Self.number(read()))
            case .histogram(let histogram): add(family.name, labels, histogram)
            }
        }
    }

    private mutating func add(
        _ name: String, _ labels: [MetricFamily.Label], _ histogram: Histogram
    ) {
        // One reading of the buckets, so that `_count` equals the `+Inf` bucket.
        let counts = histogram.bucketCounts
        var cumulative: UInt64 = 0
        for (index, count) in counts.enumerated() {
            cumulative += count
            let isLast = index == histogram.bounds.count
            let bound = isLast ? "+Inf" : Self.number(histogram.bounds[index])
            let bucket = labels + [MetricFamily.Label(name: "le", value: bound)]
            add(name + "_bucket", bucket, cumulative.description)
        }
        add(name + "_sum", labels, Self.number(histogram.sum))
        add(name + "_count", labels, cumulative.description)
    }

    private mutating func add(_ name: String, _ labels: [MetricFamily.Label], _ value: String) {
        text += name
        if !labels.isEmpty {
            let pairs = labels.map { "\($0.name)=\"\(Self.escaped($0.value, quotes: true))\"" }
            text += "{" + pairs.joined(separator: ",") + "}"
        }
        text += " " + value + "\n"
    }

    static func number(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        if let whole = Int64(exactly: value) { return whole.description }
        return value.description
    }

    static func escaped(_ text: String, quotes: Bool) -> String {
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": result += #"\\"#
            case "\n": result += #"\n"#
            case "\"" where quotes: result += #"\""#
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
