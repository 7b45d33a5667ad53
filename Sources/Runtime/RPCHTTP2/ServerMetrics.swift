import HTTP2
import RPC
import Telemetry

/// The counters of a server, looked up once.
struct ServerMetrics: Sendable {
    private let handled: [Counter]
    let connections: Gauge
    let opened: Counter
    private let closed: [Counter]
    private let goaways: [Counter]
    private let abuse: [HTTP2Abuse: Counter]
    let refusedStreams: Counter
    let stalledStreams: Counter

    init(_ metrics: Metrics) {
        handled = (0...16).map { code in
            metrics.counter(
                "grpc_server_handled_total", help: "Calls that ended, by status.",
                labels: [("grpc_code", RPCError.Code(rawValue: Int32(code)).name)])
        }
        connections = metrics.gauge(
            "grpc_server_connections", help: "Open connections.")
        opened = metrics.counter(
            "grpc_server_connections_opened_total", help: "Connections accepted.")
        closed = ConnectionEnd.allCases.map { end in
            metrics.counter(
                "grpc_server_connections_closed_total", help: "Connections ended, by cause.",
                labels: [("cause", end.label)])
        }
        goaways = ConnectionEnd.allCases.map { end in
            metrics.counter(
                "grpc_server_goaways_sent_total", help: "GOAWAY frames sent, by cause.",
                labels: [("cause", end.label)])
        }
        abuse = Dictionary(
            uniqueKeysWithValues: HTTP2Abuse.allCases.map { kind in
                (
                    kind,
                    metrics.counter(
                        "grpc_server_abuse_total",
                        help: "Connections ended because the peer did too much of something.",
                        labels: [("kind", kind.rawValue)])
                )
            })
        refusedStreams = metrics.counter(
            "grpc_server_refused_streams_total", help: "Streams answered with REFUSED_STREAM.")
        stalledStreams = metrics.counter(
            "grpc_server_stalled_streams_total",
            help: "Streams reset because the client took nothing for too long.")
    }

    func count(_ error: RPCError?) {
        let code = Int(error?.code.rawValue ?? 0)
        handled[code >= 0 && code < 17 ? code : 2].add(1)
    }

    func closed(_ end: ConnectionEnd) { closed[end.rawValue].add(1) }

    func goaway(_ end: ConnectionEnd) { goaways[end.rawValue].add(1) }

    func abuse(_ kind: HTTP2Abuse) { abuse[kind]?.add(1) }
}
