import Protobuf

/// What a WebSocket client may say (B-18, X-41), read strictly.
enum ClientMessage: Sendable {
    enum Target: Sendable {
        case everything
        case topic(String)
        case subscription(String)
    }

    /// `echo` is what the client wrote, for the answer.
    case subscribe(SubscriptionFilter, echo: JSONValue)
    case subscribeTopic(String)
    case subscribeAll
    case unsubscribe(Target)
    case ping

    /// Nil for anything that is not exactly one of these.
    init?(_ text: [UInt8], maxFilterValues: Int) {
        guard let value = try? JSONValue.parse(text, maxDepth: 8),
            case .object(let members) = value, let type = value["type"]?.string
        else { return nil }
        let names = Set(members.map(\.key)).subtracting(["type"])
        switch type {
        case "ping" where names.isEmpty: self = .ping
        case "subscribe" where names == ["filters"]:
            guard let filters = value["filters"],
                let filter = SubscriptionFilter(filters, maxValues: maxFilterValues)
            else { return nil }
            self = .subscribe(filter, echo: filters)
        case "subscribe" where names == ["topic"]:
            guard let topic = value["topic"]?.string else { return nil }
            self = .subscribeTopic(topic)
        case "subscribe" where names == ["scope"]:
            guard value["scope"]?.string == "all" else { return nil }
            self = .subscribeAll
        case "unsubscribe" where names.isEmpty: self = .unsubscribe(.everything)
        case "unsubscribe" where names == ["topic"]:
            guard let topic = value["topic"]?.string else { return nil }
            self = .unsubscribe(.topic(topic))
        case "unsubscribe" where names == ["subscription_id"]:
            guard let id = value["subscription_id"]?.string else { return nil }
            self = .unsubscribe(.subscription(id))
        default: return nil
        }
    }
}
