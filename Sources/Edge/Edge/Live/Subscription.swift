/// One subscription of one socket. Loop only.
final class Subscription {
    enum Scope {
        case filter(SubscriptionFilter)
        case topic(String)
        /// Admins: everything.
        case all
    }

    let id: String
    let scope: Scope
    /// The socket owns its subscriptions and takes them out of the hub before it goes.
    unowned let socket: LiveSocket

    init(id: String, scope: Scope, socket: LiveSocket) {
        self.id = id
        self.scope = scope
        self.socket = socket
    }
}
