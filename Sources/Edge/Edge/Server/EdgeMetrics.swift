import Environment
import HTTP1
import Telemetry

/// The edge's numbers; every handle is made once.
final class EdgeMetrics: Sendable {
    let connections: Gauge
    let publicSockets: Gauge
    let adminSockets: Gauge
    let events: Counter
    let frames: Counter
    let slowSockets: Counter
    let feedBreaks: Counter
    private let requests: [String: [Counter]]
    private let durations: [String: Histogram]

    static let classes = ["2xx", "3xx", "4xx", "5xx"]
    /// Labels of what is not a route.
    static let otherLabels = ["static", "health", "metrics", "websocket", "unmatched", "malformed"]

    init(_ metrics: Metrics, routes: [Route]) {
        connections = metrics.gauge(
            "janji_edge_connections", help: "Open HTTP connections.")
        let help = "Open WebSockets."
        publicSockets = metrics.gauge(
            "janji_edge_sockets", help: help, labels: [("role", "public")])
        adminSockets = metrics.gauge("janji_edge_sockets", help: help, labels: [("role", "admin")])
        events = metrics.counter(
            "janji_edge_events_total", help: "Events received from Notification.")
        frames = metrics.counter(
            "janji_edge_frames_total", help: "Event frames queued for WebSockets.")
        slowSockets = metrics.counter(
            "janji_edge_slow_sockets_total", help: "WebSockets closed because they read too slowly."
        )
        feedBreaks = metrics.counter(
            "janji_edge_feed_breaks_total", help: "Ends of the event stream from Notification.")
        var requests: [String: [Counter]] = [:]
        var durations: [String: Histogram] = [:]
        for label in Self.otherLabels + routes.map(\.label) where requests[label] == nil {
            requests[label] = Self.classes.map {
                metrics.counter(
                    "janji_edge_requests_total", help: "Requests answered.",
                    labels: [("route", label), ("status", $0)])
            }
            durations[label] = metrics.histogram(
                "janji_edge_request_seconds", help: "From the whole request to its answer.",
                labels: [("route", label)])
        }
        self.requests = requests
        self.durations = durations
    }

    func answered(_ label: String, _ status: HTTPStatus, _ duration: Duration) {
        let index = min(max(status.rawValue / 100 - 2, 0), Self.classes.count - 1)
        requests[label]?[index].add(1)
        durations[label]?.observe(duration)
    }
}
