/// Why a server's connection ended: the `cause` of the metric, and the debug text of the GOAWAY
/// when there is one (HTTP/2).
enum ConnectionEnd: Int, CaseIterable {
    case peer, idle, age, drain, handshake, settings, stalled, keepalive, abuse, protocolError,
        socketError, limit, tls

    var label: String {
        switch self {
        case .peer: "closed_by_peer"
        case .idle: "max_idle"
        case .age: "max_age"
        case .drain: "draining"
        case .handshake: "handshake_timeout"
        case .settings: "settings_timeout"
        case .stalled: "send_stall_timeout"
        case .keepalive: "keepalive_timeout"
        case .abuse: "abuse"
        case .protocolError: "protocol_error"
        case .socketError: "socket_error"
        case .limit: "too_many_connections"
        case .tls: "tls"
        }
    }

    /// Whether somebody should read of it in the log.
    var isRemarkable: Bool {
        switch self {
        case .peer, .idle, .age, .drain, .keepalive, .socketError: false
        default: true
        }
    }
}
