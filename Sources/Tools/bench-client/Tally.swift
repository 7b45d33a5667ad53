import Environment
import Glibc

/// What a run counts, and the line that client_ab.py reads.
struct Tally {
    private(set) var operations = 0
    var errors = 0
    private var bytes = 0
    private var latencies: [Float] = []
    private var began = Deadline.now()
    private var wall = 0.0
    private var processor = 0.0

    init() {
        latencies.reserveCapacity(4 << 20)
    }

    mutating func begin() {
        began = Deadline.now()
        processor = Tally.processorSeconds()
    }

    mutating func end() {
        wall = Double(Deadline.now().nanoseconds - began.nanoseconds) / 1e9
        processor = Tally.processorSeconds() - processor
    }

    mutating func count(bytes: Int) {
        operations += 1
        self.bytes += bytes
    }

    mutating func latency(since start: Deadline) {
        latencies.append(Float(Deadline.now().nanoseconds - start.nanoseconds) / 1000)
    }

    /// User and system time of this process.
    private static func processorSeconds() -> Double {
        var usage = rusage()
        getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
        return Double(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec)
            + Double(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6
    }

    func line(mode: String) -> String {
        let sorted = latencies.sorted()
        func percentile(_ part: Double) -> Float {
            sorted.isEmpty ? 0 : sorted[min(sorted.count - 1, Int(part * Double(sorted.count)))]
        }
        let count = Double(max(operations, 1))
        let seconds = max(wall, 1e-9)
        let fields: [(String, String)] = [
            ("mode", "\"\(mode)\""),
            ("ops_s", Tally.decimal(Double(operations) / seconds, 0)),
            ("p50_us", Tally.decimal(Double(percentile(0.5)), 1)),
            ("p99_us", Tally.decimal(Double(percentile(0.99)), 1)),
            ("errors", "\(errors)"),
            ("mb_s", Tally.decimal(Double(bytes) / seconds / 1e6, 1)),
            ("cpu_s_per_m", Tally.decimal(processor / count * 1e6, 2)),
            ("cpu_util", Tally.decimal(processor / seconds, 2)),
            ("ops", "\(operations)"),
            ("wall", Tally.decimal(wall, 3)),
        ]
        return "{" + fields.map { "\"\($0)\":\($1)" }.joined(separator: ",") + "}\n"
    }

    private static func decimal(_ value: Double, _ places: Int) -> String {
        let scale = (0..<places).reduce(1) { result, _ in result * 10 }
        let whole = Int((value * Double(scale)).rounded())
        guard places > 0 else { return "\(whole)" }
        let digits = "\(whole % scale)"
        return "\(whole / scale)."
            + String(repeating: "0", count: places - digits.count) + digits
    }
}
