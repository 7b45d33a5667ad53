import Domain
import Protobuf
public import RPC
import Schema

/// `janji.notification.v1.Notification`: events as they happen, to whoever may see them.
///
/// Not a conformance to the generated protocol: its typed writer encodes each message for each
/// subscriber, and here every event is encoded once and its bytes are shared.
public struct NotificationService: RPCService {
    public static let serviceName = NotificationV1.NotificationMethods.subscribe.service

    private let hub: EventHub

    public init(hub: EventHub) {
        self.hub = hub
    }

    public func register(in router: Router) {
        router.handle(NotificationV1.NotificationMethods.subscribe) { [hub] call in
            let bytes = try await call.receiveOnly()
            let request: NotificationV1.SubscribeRequest
            do throws(ProtobufError) {
                request = try NotificationV1.SubscribeRequest(decoding: bytes)
            } catch {
                throw RPCError(decoding: error)
            }
            let subscription = try Subscription(request, call.context.principal)
            try await call.sendHeaders()
            let subscriber = hub.join(subscription)
            defer { hub.leave(subscriber) }
            while true { try await call.send(try await subscriber.next()) }
        }
    }
}
