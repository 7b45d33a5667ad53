import Environment
import HTTP1
import Protobuf
import RPC
import Schema
import Telemetry
import WebSocket

/// Decides what a request gets: a page, a state of the process, a call of a service, a WebSocket,
/// or an error. Knows no sockets. Loop only.
final class Gateway: @unchecked Sendable {  // confined to the edge's loop
    enum Step {
        case answer(HTTPResponse)
        case call(Route, segments: [String], RateTable.Verdict?)
        case socket(isAdmin: Bool)
    }

    let configuration: EdgeConfiguration
    let backend: EdgeBackend
    let routes: RouteTable
    let origins: OriginPolicy
    let cookie: SessionCookie
    let sessions: SessionCache
    let metrics: EdgeMetrics
    /// Told when a session ended here, before anyone asks.
    var onSessionEnd: (_ sessionID: String) -> Void = { _ in }
    private let transcoder: Transcoder
    private let errors: ErrorTable
    private let files: StaticFiles
    private let registry: Metrics
    private let isReady: @Sendable () -> Bool
    private let logger: Logger
    private var publicRates: RateTable
    private var overallRates: RateTable

    init(
        _ configuration: EdgeConfiguration, pool: DescriptorPool, backend: EdgeBackend,
        files: StaticFiles, logger: Logger, metrics: Metrics,
        isReady: @escaping @Sendable () -> Bool
    ) throws(ProtobufError) {
        // Details of google.rpc are printed whether or not the services' contracts import them.
        let pool = DescriptorPool(linked: pool.files + RPCFiles.all.map(\.file))
        let printer = MessagePrinter(pool)
        self.configuration = configuration
        self.backend = backend
        self.files = files
        self.logger = logger
        self.isReady = isReady
        registry = metrics
        routes = try RouteTable(pool)
        transcoder = Transcoder(printer: printer)
        errors = ErrorTable(pool, printer)
        origins = OriginPolicy(configuration.allowedOrigins)
        cookie = SessionCookie(
            name: configuration.sessionCookieName, isSecure: configuration.cookieSecure)
        sessions = SessionCache(
            lifetime: configuration.sessionCacheTime, verify: backend.verifySession)
        self.metrics = EdgeMetrics(metrics, routes: routes.routes)
        publicRates = RateTable(configuration.publicRate, size: configuration.rateTableSize)
        overallRates = RateTable(configuration.overallRate, size: configuration.rateTableSize)
    }

    // MARK: Deciding

    /// The limit of a route that takes larger bodies than the others; nil for the others.
    func bodyLimit(_ head: HTTPRequestHead) -> Int? {
        guard let segments = try? head.pathSegments(),
            case .found(let route) = routes.match(head.method, segments)
        else { return nil }
        return route.bodyLimit
    }

    /// What to do with a request, and under which name it is counted and logged.
    func begin(_ request: EdgeRequest) -> (step: Step, label: String) {
        let head = request.head
        let path = String(decoding: head.path, as: UTF8.self)
        do throws(EdgeFailure) {
            if path != "/health", let verdict = overallRates.take(request.address),
                !verdict.isAllowed
            {
                throw .rateLimited(retryAfter: verdict.retryAfter)
            }
            switch path {
            case "/health":
                try check(head, allows: .get)
                return (.answer(health()), "health")
            case "/metrics":
                try check(head, allows: .get)
                let text = Array(registry.render().utf8)
                return (
                    .answer(
                        HTTPResponse(
                            status: .ok, contentType: "text/plain; version=0.0.4; charset=utf-8",
                            body: text)), "metrics"
                )
            default: break
            }
            if path == "/ws" || path == "/ws/availability" {
                try check(head, allows: .get)
                return (.socket(isAdmin: path == "/ws"), "websocket")
            }
            if let file = files.file(path) {
                try check(head, allows: .get)
                return (.answer(files.response(file, head)), "static")
            }
            return try beginRoute(request)
        } catch {
            return (.answer(answer(error, to: request)), "unmatched")
        }
    }

    private func check(_ head: HTTPRequestHead, allows method: HTTPMethod) throws(EdgeFailure) {
        guard head.method == method || head.method == .head && method == .get else {
            throw .methodNotAllowed(method == .get ? [.get, .head] : [method])
        }
    }

    private func beginRoute(
        _ request: EdgeRequest
    ) throws(EdgeFailure) -> (step: Step, label: String) {
        let head = request.head
        let segments: [String]
        do throws(HTTPError) {
            segments = try head.pathSegments()
        } catch {
            throw EdgeFailure(error)
        }
        if head.method == .options { return (.answer(try options(head, segments)), "unmatched") }
        switch routes.match(head.method, segments) {
        case .none: throw .routeNotFound
        case .otherMethods(let methods): throw .methodNotAllowed(methods)
        case .found(let route):
            let label = route.label
            var verdict: RateTable.Verdict?
            do throws(EdgeFailure) {
                if route.changesState {
                    try origins.checkStateChange(head.headers)
                    if route.access == .public { verdict = publicRates.take(request.address) }
                    if let verdict, !verdict.isAllowed {
                        throw .rateLimited(retryAfter: verdict.retryAfter)
                    }
                }
            } catch {
                var response = answer(error, to: request)
                Self.addRate(verdict, to: &response)
                return (.answer(response), label)
            }
            return (.call(route, segments: segments, verdict), label)
        }
    }

    private func options(
        _ head: HTTPRequestHead, _ segments: [String]
    ) throws(EdgeFailure) -> HTTPResponse {
        let methods: [HTTPMethod]
        switch routes.match(.options, segments) {
        case .otherMethods(let known): methods = known
        case .found(let route): methods = [route.httpMethod]
        case .none: throw .routeNotFound
        }
        if OriginPolicy.isPreflight(head) { return origins.preflight(head, methods: methods) }
        var response = HTTPResponse(status: .noContent)
        let names = (methods.map(\.rawValue) + ["OPTIONS"]).joined(separator: ", ")
        try? response.headers.add("allow", names)
        return response
    }

    private func health() -> HTTPResponse {
        let ready = isReady()
        let body: JSONValue = [
            "status": .string(ready ? "healthy" : "unavailable"),
            "service": .string(configuration.serviceName),
            "timestamp": .string(Instant.now().rfc3339),
        ]
        var response = HTTPResponse(
            status: ready ? .ok : .serviceUnavailable, contentType: "application/json",
            body: body.encoded())
        response.headers.add(literal: "cache-control", "no-store")
        if !ready { response.headers.add(literal: "retry-after", "1") }
        return response
    }

    private static func addRate(_ verdict: RateTable.Verdict?, to response: inout HTTPResponse) {
        guard let verdict else { return }
        try? response.headers.add("x-ratelimit-limit", String(verdict.limit))
        try? response.headers.add("x-ratelimit-remaining", String(verdict.remaining))
        try? response.headers.add("x-ratelimit-reset", String(verdict.retryAfter))
    }

    // MARK: Calling

    /// Calls the service and prints what it says. Never throws: every end is an answer.
    func perform(
        _ route: Route, _ segments: [String], _ rate: RateTable.Verdict?, _ request: EdgeRequest
    ) async -> HTTPResponse {
        var response: HTTPResponse
        do throws(EdgeFailure) {
            response = try await call(route, segments, request)
        } catch {
            response = answer(error, to: request)
        }
        Self.addRate(rate, to: &response)
        return response
    }

    private func call(
        _ route: Route, _ segments: [String], _ request: EdgeRequest
    ) async throws(EdgeFailure) -> HTTPResponse {
        let outgoing = try await prepare(route, segments, request)
        let options = CallOptions(
            deadline: request.arrived + configuration.requestTimeout, inheritsDeadline: false)
        do {
            var isReplayed = false
            let bytes: [UInt8]
            if outgoing.hasKey {
                // Only an answer by key can be a repeated one; its trailers say so.
                let call = try await outgoing.channel.start(
                    route.descriptor, sending: outgoing.message, metadata: outgoing.metadata,
                    options: options)
                bytes = try await call.receiveOnly()
                isReplayed = await call.trailers.first("\(Self.replayedField)") == "true"
            } else {
                bytes = try await outgoing.channel.unary(
                    route.descriptor, outgoing.message, metadata: outgoing.metadata,
                    options: options)
            }
            var response = try success(
                route, try DynamicMessage(decoding: bytes, schema: route.method.output), request,
                session: outgoing.sessionID)
            if isReplayed { response.headers.add(literal: Self.replayedField, "true") }
            return response
        } catch {
            let failure = errors.failure(RPCError(wrapping: error))
            if failure.status == .unauthorized, let id = outgoing.sessionID { sessions.forget(id) }
            throw failure
        }
    }

    /// Trailer of a service and header of ours: the key had been used for the same before.
    static let replayedField: StaticString = "idempotency-replayed"

    private struct Outgoing {
        let channel: any Channel
        let message: [UInt8]
        /// Whether the message holds an idempotency key.
        let hasKey: Bool
        let metadata: Metadata
        let sessionID: String?
    }

    /// Who calls, and what: everything that can be refused before a service hears of it.
    private func prepare(
        _ route: Route, _ segments: [String], _ request: EdgeRequest
    ) async throws(EdgeFailure) -> Outgoing {
        let session =
            route.access == .admin ? try await signedIn(request.head.headers) : nil
        var message = try transcoder.request(
            route, request.head, segments: segments, body: request.body)
        if route.cookie == .clear, let field = route.sessionField, let session {
            message[field] = .string(session.id)
        }
        let principal: EdgePrincipal = session.map { .admin($0.session.userID) } ?? .anonymous
        guard let channel = backend.channel(route.descriptor.service, principal) else {
            throw .upstreamUnavailable
        }
        var metadata = Metadata()
        metadata.add(request.id, for: "x-request-id")
        let key = route.idempotencyKey.flatMap { message[$0]?.stringValue } ?? ""
        return Outgoing(
            channel: channel, message: message.encoded(), hasKey: !key.isEmpty, metadata: metadata,
            sessionID: session?.id)
    }

    // MARK: Streaming

    /// Starts the call of a method that streams its answers. It has no deadline: it lasts until
    /// one side leaves.
    func open(
        _ route: Route, _ segments: [String], _ request: EdgeRequest
    ) async throws(EdgeFailure) -> ClientCall {
        let outgoing = try await prepare(route, segments, request)
        do {
            let call = try await outgoing.channel.start(
                route.descriptor, metadata: outgoing.metadata,
                options: CallOptions(inheritsDeadline: false))
            // When the service answers early, its status says more than the failed write.
            try? await call.send(outgoing.message)
            call.finish()
            return call
        } catch {
            throw errors.failure(RPCError(wrapping: error))
        }
    }

    /// The next answer as a line of NDJSON; nil at the end.
    func nextLine(of call: ClientCall, _ route: Route) async throws(EdgeFailure) -> [UInt8]? {
        do {
            guard let bytes = try await call.receive() else { return nil }
            let message = try DynamicMessage(decoding: bytes, schema: route.method.output)
            return try transcoder.response(route, message) + [UInt8(ascii: "\n")]
        } catch {
            throw errors.failure(RPCError(wrapping: error))
        }
    }

    private func success(
        _ route: Route, _ message: DynamicMessage, _ request: EdgeRequest, session: String?
    ) throws(ProtobufError) -> HTTPResponse {
        if route.givesRawBody {
            return Envelope.raw(route.successStatus, RawBody(message), requestID: request.id)
        }
        let now = Instant.now()
        var response = Envelope.success(
            route.successStatus, data: try transcoder.response(route, message),
            requestID: request.id, now: now)
        if route.cookie == .issue, let issued = message["session_id"]?.stringValue {
            let seconds = message["expires_at"]?.messageValue?["seconds"]?.integerValue
            let expiry = seconds.map { Instant(secondsSinceEpoch: $0) }
            try? response.headers.add(
                "set-cookie", cookie.issue(issued, expiresAt: expiry, now: now))
        } else if route.cookie == .clear {
            if let session {
                sessions.forget(session)
                onSessionEnd(session)
            }
            try? response.headers.add("set-cookie", cookie.clear)
        }
        return response
    }

    /// The session that the request brings.
    /// Throws 401 without a valid one, 503 when nobody can say.
    func signedIn(
        _ headers: HTTPHeaders
    ) async throws(EdgeFailure) -> (id: String, session: EdgeSession) {
        guard let id = cookie.session(of: headers) else { throw .unauthenticated }
        if let session = sessions.known(id) { return (id, session) }
        do {
            guard let session = try await sessions.verified(id) else {
                throw EdgeFailure.unauthenticated
            }
            return (id, session)
        } catch let failure as EdgeFailure {
            throw failure
        } catch {
            throw errors.failure(RPCError(wrapping: error))
        }
    }

    func answer(_ failure: EdgeFailure, to request: EdgeRequest) -> HTTPResponse {
        if failure.status == .internalServerError, let cause = failure.cause {
            logger.error(
                "call failed", ["error": .string(cause), "request_id": .string(request.id)])
        }
        return Envelope.failure(failure, requestID: request.id, now: .now())
    }
}
