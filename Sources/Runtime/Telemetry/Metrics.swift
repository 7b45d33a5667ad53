import Synchronization

/// The numbers of a process. Ask once for each handle and keep it: asking takes a lock, using a
/// handle does not.
///
/// Asking again for the same name and labels gives the same handle. Names, label names and a
/// change of kind under one name are programming errors and trap.
public final class Metrics: Sendable {
    private let families = Mutex(Families())

    public init() {}

    public func counter(
        _ name: String, help: String, labels: [(String, String)] = []
    ) -> Counter {
        let metric = families.withLock {
            $0.metric(name, help: help, labels: labels, kind: .counter) { .counter(Counter()) }
        }
        guard case .counter(let counter) = metric else { preconditionFailure("\(name): kind") }
        return counter
    }

    public func gauge(_ name: String, help: String, labels: [(String, String)] = []) -> Gauge {
        let metric = families.withLock {
            $0.metric(name, help: help, labels: labels, kind: .gauge) { .gauge(Gauge()) }
        }
        guard case .gauge(let gauge) = metric else {
            preconditionFailure("\(name) is already an observed gauge")
        }
        return gauge
    }

    /// A gauge that is read when someone renders. `read` runs on the rendering thread and must be
    /// quick; the first registration of a name and labels stays.
    public func gauge(
        _ name: String, help: String, labels: [(String, String)] = [],
        read: @escaping @Sendable () -> Double
    ) {
        _ = families.withLock {
            $0.metric(name, help: help, labels: labels, kind: .gauge) { .observed(read) }
        }
    }

    /// A histogram; the bounds of the first registration stay.
    public func histogram(
        _ name: String, help: String, buckets: [Double] = Histogram.latencyBounds,
        labels: [(String, String)] = []
    ) -> Histogram {
        let metric = families.withLock {
            $0.metric(name, help: help, labels: labels, kind: .histogram) {
                .histogram(Histogram(bounds: buckets))
            }
        }
        guard case .histogram(let histogram) = metric else {
            preconditionFailure("\(name): kind")
        }
        return histogram
    }

    /// Prometheus text exposition format 0.0.4 (`text/plain; version=0.0.4`), in the order of
    /// registration.
    public func render() -> String {
        // Copied out first: an observed gauge may itself ask for metrics.
        let snapshot = families.withLock { $0.ordered }
        var text = PrometheusText()
        for family in snapshot { text.add(family) }
        return text.text
    }
}
