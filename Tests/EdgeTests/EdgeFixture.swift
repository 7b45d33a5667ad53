import Edge
import Environment
import Loop
import Protobuf
import RPC
import Schema
import Synchronization
import Telemetry

/// A real edge on a loopback port before fake services in the same process.
///
/// The request steers the fake: a thing named `code:UNAVAILABLE` fails with that status,
/// `reason:PENDING_BOOKING_EXISTS` with that reason, `slow` does not answer, `held` does once it is
/// released.
final class EdgeFixture: Sendable {
    let loop: EventLoop
    let server: EdgeServer
    let port: UInt16
    let services: FakeServices
    let log: LogCapture
    private let listener: Listener

    private init(
        loop: EventLoop, server: EdgeServer, listener: Listener, services: FakeServices,
        log: LogCapture
    ) {
        self.loop = loop
        self.server = server
        self.listener = listener
        self.services = services
        self.log = log
        port = listener.address.port ?? 0
    }

    /// Runs `body` beside the edge; `run()` of the edge only when `following`.
    static func with(
        following: Bool = false, pool: DescriptorPool = TestContract.pool,
        _ configure: (inout EdgeConfiguration) -> Void = { _ in },
        _ body: @Sendable (EdgeFixture) async throws -> Void
    ) async throws {
        let loop = EventLoop(name: "edge-test")
        let services = FakeServices()
        let router = Router(logger: Logger(label: "fake", sink: .discarding))
        services.register(in: router, pool: pool)
        let channel = InProcessChannel(router: router, loop: loop)
        var configuration = EdgeConfiguration()
        configuration.allowedOrigins = ["https://school.example"]
        configuration.webRoot = webRoot
        configuration.publicRate = .unlimited
        configuration.overallRate = .unlimited
        configuration.drainGrace = .milliseconds(200)
        configuration.feedBackoff = .milliseconds(10) ... .milliseconds(50)
        configure(&configuration)
        let log = LogCapture()
        let backend = EdgeBackend(
            channel: { _, principal in services.channel(channel, as: principal) },
            verifySession: { id in try services.session(id) })
        let server = try EdgeServer(
            configuration: configuration, pool: pool, backend: backend, loop: loop,
            logger: Logger(label: "edge", sink: log.sink), metrics: Metrics(),
            isReady: { services.isReady })
        guard let address = SocketAddress(host: "127.0.0.1", port: 0) else { return }
        let listener = try await server.listen(on: address)
        let fixture = EdgeFixture(
            loop: loop, server: server, listener: listener, services: services, log: log)
        do {
            try await withThrowingTaskGroup { group in
                if following { group.addTask { try await server.run() } }
                // A plug blocks: on a thread of its own it keeps no other test waiting.
                let thread = EventLoop(name: "plug")
                let result = await withTaskExecutorPreference(thread) {
                    do {
                        return Result<Void, any Error>.success(try await body(fixture))
                    } catch {
                        return .failure(error)
                    }
                }
                await thread.stop()
                try result.get()
                group.cancelAll()
            }
        } catch {
            await fixture.stop()
            throw error
        }
        await fixture.stop()
    }

    private func stop() async {
        await listener.close()
        await server.drain(grace: .milliseconds(100))
        services.endEvents()
        await loop.stop()
    }

    private static var webRoot: String {
        var parts = #filePath.split(separator: "/").map(String.init)
        parts.removeLast(3)
        return "/" + parts.joined(separator: "/") + "/Sources/Edge/Pages/Web"
    }

    func plug() -> Plug { Plug(port) }

    func ask(
        _ method: String, _ path: String, _ fields: [(String, String)] = [], body: String? = nil
    ) throws -> Plug.Answer {
        try plug().ask(method, path, fields, body: body)
    }
}

/// The services behind the edge, and who is signed in.
final class FakeServices: Sendable {
    struct Seen: Sendable {
        let method: String
        let bytes: [UInt8]
        let principal: String?
        let requestID: String?
        let hasDeadline: Bool
    }

    typealias Event = NotificationV1.SubscribeResponse

    private struct State {
        var seen: [Seen] = []
        var cancelled = 0
        var sessions: [String: EdgeSession] = [:]
        var isReady = true
        var isReleased = false
        var identityIsDown = false
        var subscribers: [Int: AsyncStream<Event>.Continuation] = [:]
        var subscriptions: [NotificationV1.SubscribeRequest] = []
    }

    private let state = Mutex(State())

    var seen: [Seen] { state.withLock { $0.seen } }
    var cancelled: Int { state.withLock { $0.cancelled } }
    var isReady: Bool {
        get { state.withLock { $0.isReady } }
        set { state.withLock { $0.isReady = newValue } }
    }
    var identityIsDown: Bool {
        get { state.withLock { $0.identityIsDown } }
        set { state.withLock { $0.identityIsDown = newValue } }
    }

    /// Lets calls go on that are `held`.
    func release() { state.withLock { $0.isReleased = true } }

    // MARK: Sessions

    func signIn(_ id: String, for duration: Duration = .seconds(3600)) {
        state.withLock {
            $0.sessions[id] = EdgeSession(userID: "user-\(id)", expiresAt: .now() + duration)
        }
    }

    func revoke(_ id: String) { state.withLock { $0.sessions[id] = nil } }

    func session(_ id: String) throws -> EdgeSession? {
        if identityIsDown { throw RPCError(.unavailable, "identity is down") }
        return state.withLock { $0.sessions[id] }
    }

    func channel(_ base: InProcessChannel, as principal: EdgePrincipal) -> any Channel {
        let name: String =
            switch principal {
            case .anonymous: "anonymous"
            case .admin(let id): "admin:\(id)"
            case .service: "service"
            }
        return InterceptedChannel(base, interceptors: [NamePrincipal(name: name)])
    }

    private struct NamePrincipal: ClientInterceptor {
        let name: String
        func intercept(_ request: inout ClientRequest) async throws {
            request.metadata.set(name, for: "x-principal")
        }
    }

    // MARK: Calls

    func register(in router: Router, pool: DescriptorPool) {
        for service in pool.services where service.fullName != "janji.notification.v1.Notification"
        {
            for method in service.methods where !method.serverStreaming {
                let descriptor = MethodDescriptor(
                    service: service.fullName, name: method.name, kind: .unary)
                router.handle(descriptor) { call in try await self.answer(call, method) }
            }
        }
        guard let things = pool.service(TestContract.service),
            let count = things.method(named: "Count")
        else { return }
        router.handle(
            MethodDescriptor(service: things.fullName, name: "Count", kind: .serverStreaming)
        ) { call in try await self.count(call, count) }
        router.handle(NotificationV1.NotificationMethods.subscribe) { call in
            try await self.stream(call)
        }
    }

    private func answer(_ call: ServerCall, _ method: MethodSchema) async throws {
        let bytes = try await call.receiveOnly()
        let metadata = call.context.metadata
        state.withLock {
            $0.seen.append(
                Seen(
                    method: method.name, bytes: bytes, principal: metadata.first("x-principal"),
                    requestID: metadata.first("x-request-id"),
                    hasDeadline: call.context.deadline != nil))
        }
        let message = try DynamicMessage(decoding: bytes, schema: method.input)
        let steer = (message["name"] ?? message["full_name"])?.stringValue ?? ""
        if steer == "slow" {
            do {
                try await call.loop.sleep(for: .seconds(60))
            } catch {
                state.withLock { $0.cancelled += 1 }
                throw error
            }
        }
        while steer == "held", !state.withLock({ $0.isReleased }) {
            try await call.loop.sleep(for: .milliseconds(5))
        }
        if steer == "replayed" {
            call.context.trailingMetadata.set("true", for: "idempotency-replayed")
        }
        if steer.hasPrefix("code:") {
            throw RPCError(
                RPCError.Code(name: String(steer.dropFirst(5))) ?? .unknown, "secret text")
        }
        if steer.hasPrefix("reason:") { throw Self.refusal(String(steer.dropFirst(7))) }
        try call.sendOnly(try Self.response(method, message))
    }

    /// Answers 1, 2 … count; fails instead of 13, and does not begin for a negative count.
    private func count(_ call: ServerCall, _ method: MethodSchema) async throws {
        var message = try DynamicMessage(
            decoding: try await call.receiveOnly(), schema: method.input)
        let count = message["count"]?.integerValue ?? 0
        if count < 0 { throw Self.refusal("COURSE_NOT_FOUND") }
        for number in 0..<Int32(count) {
            if number == 12 { throw RPCError(.unavailable, "thirteen") }
            message["count"] = .int32(number + 1)
            try await call.send(message.encoded())
        }
    }

    private static func refusal(_ reason: String) -> RPCError {
        var info = GoogleRpc.ErrorInfo()
        info.reason = reason
        info.domain = "janji"
        var retry = GoogleRpc.RetryInfo()
        retry.retryDelay = GoogleProtobuf.Duration()
        retry.retryDelay?.seconds = 7
        var booking = BookingV1.OriginalBooking()
        booking.booking = BookingV1.Booking()
        booking.booking?.id = "b-1"
        booking.booking?.status = .pending
        return RPCError(
            .alreadyExists, "what went wrong",
            details: [
                detail(info), detail(retry), detail(booking),
                RPCError.Detail(typeURL: "type.googleapis.com/no.such.Type", value: [1, 2]),
            ])
    }

    private static func detail(_ message: some Message) -> RPCError.Detail {
        RPCError.Detail(
            typeURL: "type.googleapis.com/\(type(of: message).schema.fullName)",
            value: message.encoded())
    }

    private static func response(
        _ method: MethodSchema, _ request: DynamicMessage
    ) throws -> [UInt8] {
        switch method.output.fullName {
        case request.schema.fullName, "google.api.HttpBody": return request.encoded()
        case "janji.identity.v1.CreateSessionResponse":
            var response = IdentityV1.CreateSessionResponse()
            response.sessionId = "fresh-session"
            response.user = IdentityV1.User()
            response.user?.name = "Sari"
            response.user?.role = .admin
            response.expiresAt = GoogleProtobuf.Timestamp()
            response.expiresAt?.seconds = Instant.now().secondsSinceEpoch + 3600
            return response.encoded()
        case "janji.booking.v1.RegisterCourseResponse":
            var response = BookingV1.RegisterCourseResponse()
            response.booking = BookingV1.Booking()
            response.booking?.id = "b-1"
            response.booking?.status = .pending
            response.booking?.firstChoiceSlotId = request["first_choice_slot_id"]?.stringValue
            return response.encoded()
        default: return []
        }
    }

    // MARK: Events

    private func stream(_ call: ServerCall) async throws {
        let request = try NotificationV1.SubscribeRequest(decoding: try await call.receiveOnly())
        let (events, continuation) = AsyncStream<Event>.makeStream()
        let id = state.withLock { state in
            state.subscriptions.append(request)
            state.subscribers[state.subscriptions.count] = continuation
            return state.subscriptions.count
        }
        defer { state.withLock { $0.subscribers[id] = nil } }
        var ready = Event()
        ready.kind = .ready(.init())
        try await call.send(ready.encoded())
        for await event in events { try await call.send(event.encoded()) }
    }

    var subscriptions: [NotificationV1.SubscribeRequest] { state.withLock { $0.subscriptions } }

    func publish(_ event: Event) {
        for subscriber in state.withLock({ Array($0.subscribers.values) }) {
            subscriber.yield(event)
        }
    }

    /// Ends every stream, as a dying Notification does.
    func endEvents() {
        for subscriber in state.withLock({ Array($0.subscribers.values) }) { subscriber.finish() }
    }

    /// An event as Notification sends it; numbers and strings of `data` become a Struct.
    static func event(
        _ topic: String, action: String = "updated", offset: Int64, _ data: [String: JSONValue]
    ) -> Event {
        var delivery = Event.Delivery()
        delivery.position = NotificationV1.Position()
        delivery.position?.topic = topic
        delivery.position?.partition = 3
        delivery.position?.offset = offset
        var event = EventsV1.Event()
        event.topic = topic
        event.eventType = topic
        event.eventId = "\(topic) \(offset)"
        event.timestamp = GoogleProtobuf.Timestamp()
        event.timestamp?.seconds = 1_764_669_600
        var payload = EventsV1.Payload()
        payload.action = action
        payload.data = GoogleProtobuf.Struct()
        payload.data?.fields = data.mapValues(value)
        event.payload = payload
        delivery.event = event
        var response = Event()
        response.kind = .delivery(delivery)
        return response
    }

    private static func value(_ json: JSONValue) -> GoogleProtobuf.Value {
        var value = GoogleProtobuf.Value()
        switch json {
        case .string(let text): value.kind = .stringValue(text)
        case .number(let text): value.kind = .numberValue(Double(text) ?? 0)
        case .bool(let flag): value.kind = .boolValue(flag)
        default: value.kind = .nullValue(.init(rawValue: 0))
        }
        return value
    }
}
