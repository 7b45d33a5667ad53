/// A part of the system that can run in a process of its own (requirements 1.7).
enum Role: String, CaseIterable, Sendable {
    case gateway, auth, schedule, booking, notification

    /// Accepts the names of the documents too.
    init?(name: String) {
        switch name {
        case "identity": self = .auth
        case "course": self = .schedule
        case "edge": self = .gateway
        default: self.init(rawValue: name)
        }
    }

    var defaultPort: UInt16 {
        switch self {
        case .gateway: 3000
        case .auth: 3001
        case .schedule: 3003
        case .booking: 3007
        case .notification: 3009
        }
    }

    /// The context in the package names of its services: the audience of its tokens.
    var context: String { self == .auth ? "identity" : rawValue }

    /// Every context in the package names of its services.
    var contexts: [String] {
        switch self {
        case .gateway: []
        case .booking: [context, "payment"]
        default: [context]
        }
    }

    /// The schema that it alone may touch.
    var schema: String? {
        switch self {
        case .gateway, .notification: nil
        case .auth: "identity"
        case .schedule, .booking: rawValue
        }
    }

    /// The port setting; the gateway's is JANJI_PORT.
    var portSetting: Setting {
        self == .gateway
            ? .port
            : Setting(
                "\(rawValue.uppercased())_PORT", "port of the role \(rawValue)",
                default: String(defaultPort))
    }

    /// Where the other roles find it.
    var addressSetting: Setting {
        Setting(
            "\(rawValue.uppercased())_SERVICE_URL", "where the role \(rawValue) is found",
            default: "http://127.0.0.1:\(defaultPort)")
    }

    var settings: [Setting] { self == .gateway ? [] : [portSetting, addressSetting] }
}
