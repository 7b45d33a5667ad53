import Synchronization

/// `grpc.health.v1.Health`: what the process says about its services. The empty name is the
/// server as a whole, SERVING from the start.
public final class HealthService: HealthV1.HealthService {
    public typealias ServingStatus = HealthV1.HealthCheckResponse.ServingStatus

    private struct State {
        var statuses: [String: ServingStatus] = ["": .serving]
        var watchers:
            [UInt64: (service: String, continuation: AsyncStream<ServingStatus>.Continuation)] =
                [:]
        var nextWatcher: UInt64 = 0
    }

    private let state = Mutex(State())

    public init() {}

    /// Changes the status of a service and tells everybody who watches it. Any thread.
    public func set(_ status: ServingStatus, for service: String = "") {
        state.withLock { state in
            guard state.statuses.updateValue(status, forKey: service) != status else { return }
            for watcher in state.watchers.values where watcher.service == service {
                watcher.continuation.yield(status)
            }
        }
    }

    /// NOT_SERVING for all that is known: the first step of a shutdown.
    public func shutDown() {
        for service in state.withLock({ Array($0.statuses.keys) }) {
            set(.notServing, for: service)
        }
    }

    public func check(
        _ request: HealthV1.HealthCheckRequest, _ context: ServerContext
    ) async throws -> HealthV1.HealthCheckResponse {
        guard let status = state.withLock({ $0.statuses[request.service] }) else {
            throw RPCError(.notFound, "no service \(request.service)")
        }
        return HealthService.response(status)
    }

    public func list(
        _ request: HealthV1.HealthListRequest, _ context: ServerContext
    ) async throws -> HealthV1.HealthListResponse {
        var response = HealthV1.HealthListResponse()
        response.statuses = state.withLock { $0.statuses.mapValues(HealthService.response) }
        return response
    }

    /// Sends the status now and after each change, until the client cancels. A service that is
    /// not known yet is SERVICE_UNKNOWN.
    public func watch(
        _ request: HealthV1.HealthCheckRequest, _ context: ServerContext,
        _ responses: ResponseWriter<HealthV1.HealthCheckResponse>
    ) async throws {
        // Only the newest status matters to a slow reader.
        let (changes, continuation) = AsyncStream.makeStream(
            of: ServingStatus.self, bufferingPolicy: .bufferingNewest(1))
        let id = state.withLock { state in
            state.nextWatcher += 1
            state.watchers[state.nextWatcher] = (request.service, continuation)
            continuation.yield(state.statuses[request.service] ?? .serviceUnknown)
            return state.nextWatcher
        }
        defer { _ = state.withLock { $0.watchers.removeValue(forKey: id) } }
        for await status in changes {
            try await responses.write(HealthService.response(status))
        }
        throw CancellationError()
    }

    private static func response(_ status: ServingStatus) -> HealthV1.HealthCheckResponse {
        var response = HealthV1.HealthCheckResponse()
        response.status = status
        return response
    }
}
