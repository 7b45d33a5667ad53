import Loop
import Protobuf
import RPC
import Testing

@Suite("Health and reflection services", .timeLimit(.minutes(5)))
struct ServiceTests {
    private func channel(_ services: any RPCService...) -> InProcessChannel {
        let router = Router()
        for service in services { service.register(in: router) }
        return InProcessChannel(router: router, loop: EventLoop(name: "test"))
    }

    private func request(_ service: String) -> HealthV1.HealthCheckRequest {
        var request = HealthV1.HealthCheckRequest()
        request.service = service
        return request
    }

    @Test("health: check, list, and a watch that sees changes and an unknown service appear")
    func health() async throws {
        let health = HealthService()
        let client = HealthV1.HealthClient(channel(health))
        #expect(try await client.check(request("")).status == .serving)
        let unknown = await failure { _ = try await client.check(request("a.B")) }
        #expect(unknown?.code == .notFound)
        let watch = try await client.watch(request("a.B"))
        var updates = watch.makeAsyncIterator()
        #expect(try await updates.next()?.status == .serviceUnknown)
        health.set(.serving, for: "a.B")
        #expect(try await updates.next()?.status == .serving)
        health.shutDown()
        #expect(try await updates.next()?.status == .notServing)
        let list = try await client.list(HealthV1.HealthListRequest())
        #expect(list.statuses.mapValues(\.status) == ["": .notServing, "a.B": .notServing])
        watch.cancel()
    }

    @Test("reflection: services, files by symbol with imports once, unknown symbols as errors")
    func reflection() async throws {
        let service = ReflectionService(pool: DescriptorPool(RPCFiles.all))
        let client = ReflectionV1.ServerReflectionClient(channel(service))
        let call = try await client.serverReflectionInfo()
        var answers = call.responses.makeAsyncIterator()
        func ask(
            _ question: ReflectionV1.ServerReflectionRequest.OneOfMessageRequest
        ) async throws -> ReflectionV1.ServerReflectionResponse.OneOfMessageResponse? {
            var request = ReflectionV1.ServerReflectionRequest()
            request.messageRequest = question
            try await call.send(request)
            return try await answers.next()?.messageResponse
        }
        guard case .listServicesResponse(let list) = try await ask(.listServices("")) else {
            Issue.record("no list")
            return
        }
        #expect(list.service.map(\.name).contains("grpc.health.v1.Health"))
        guard
            case .fileDescriptorResponse(let files) = try await ask(
                .fileContainingSymbol("google.rpc.Status"))
        else {
            Issue.record("no file")
            return
        }
        #expect(files.fileDescriptorProto.count == 2)
        guard case .errorResponse(let error) = try await ask(.fileContainingSymbol("no.Such"))
        else {
            Issue.record("no error")
            return
        }
        #expect(error.errorCode == RPCError.Code.notFound.rawValue)
        call.finish()
        #expect(try await answers.next() == nil)
    }

    @Test("reflection v1alpha answers with the same service")
    func reflectionAlpha() async throws {
        let service = ReflectionService(pool: DescriptorPool(RPCFiles.all), services: ["only.This"])
        let client = ReflectionV1alpha.ServerReflectionClient(channel(service))
        let call = try await client.serverReflectionInfo()
        var request = ReflectionV1alpha.ServerReflectionRequest()
        request.messageRequest = .listServices("*")
        try await call.send(request)
        var answers = call.responses.makeAsyncIterator()
        guard case .listServicesResponse(let list) = try await answers.next()?.messageResponse
        else {
            Issue.record("no list")
            return
        }
        #expect(list.service.map(\.name) == ["only.This"])
        call.cancel()
    }
}
