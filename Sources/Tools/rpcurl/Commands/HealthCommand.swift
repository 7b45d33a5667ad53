import Protobuf
import RPC

/// `health`: asks grpc.health.v1. Needs no schema.
struct HealthCommand {
    private let session: Session

    init(_ session: Session) {
        self.session = session
    }

    /// - Parameter service: empty for the server as a whole.
    /// - Returns: 0 when it is serving, else 1.
    func run(_ service: String) async throws -> Int32 {
        var request = HealthV1.HealthCheckRequest()
        request.service = service
        let status: HealthV1.HealthCheckResponse.ServingStatus
        do {
            status = try await HealthV1.HealthClient(session.requireChannel()).check(
                request, metadata: session.settings.callMetadata,
                options: CallOptions(deadline: session.deadline)
            ).status
        } catch let error as RPCError where error.code == .unimplemented {
            throw Failure("the server has no grpc.health.v1.Health service (UNIMPLEMENTED)")
        } catch var error as RPCError where error.code == .notFound && error.message.isEmpty {
            error.message = "the health service does not know \(service)"
            throw error
        }
        let number = status.rawValue
        let name =
            HealthV1.HealthCheckResponse.ServingStatus.schema.value(number: number)?.name
            ?? "\(number)"
        if session.settings.json {
            let object: JSONValue = ["service": .string(service), "status": .string(name)]
            try session.output.line(JSONText.layout(object, compact: session.settings.compact))
        } else {
            try session.output.line(name)
        }
        return status == .serving ? 0 : 1
    }
}
