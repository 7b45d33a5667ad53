import GreeterSchema
import Loop
import Protobuf
import RPC
import RPCHTTP2
import Telemetry

/// A server on a free port of this machine, and a client that makes each kind of call.
@main
enum Greeter {
    static func main() async throws {
        let loop = EventLoop(name: "greeter")
        let router = Router(interceptors: [
            Tracing(), CallLogging(Logger(label: "greeter")),
        ])
        router.register(GreeterMethods())
        router.register(HealthService())
        router.register(
            ReflectionService(pool: DescriptorPool(GreeterFiles.all), services: router.services))
        let channelz = ChannelzRegistry()
        router.register(ChannelzService(channelz))  // for `rpcurl top`
        var configuration = ServerConfiguration()
        configuration.channelz = channelz
        let server = RPCServer(
            router: router, configuration: configuration, logger: Logger(label: "server"))
        let listener = try await server.listen(
            on: .ipv4(host: "127.0.0.1", port: 0), loop: loop)

        let channel = try HTTP2Channel(target: "\(listener.address)", loop: loop)
        try await greet(GreeterV1.GreeterClient(channel))
        channel.close()
        _ = await server.drain()
    }

    /// On the main actor, as a program's `main` and an app's views are.
    @MainActor static func greet(_ client: GreeterV1.GreeterClient) async throws {
        let answer = try await client.hello(
            .with { $0.name = "Ada" }, options: .timeout(.seconds(5)))
        print(answer.text)

        let countDown = GreeterV1.CountDownRequest.with {
            $0.name = "Grace"
            $0.from = 3
        }
        for try await reply in try await client.countDown(countDown) { print(reply.text) }

        let gathering = try await client.gather()
        for name in ["Edsger", "Barbara"] { try await gathering.send(.with { $0.name = name }) }
        print(try await gathering.finish().text)

        try await client.chat { call in
            var replies = call.responses.makeAsyncIterator()
            for name in ["Alan", "Kathleen"] {
                try await call.send(.with { $0.name = name })
                print(try await replies.next()?.text ?? "no answer")
            }
            call.finish()
        }

        do {
            _ = try await client.hello(GreeterV1.HelloRequest())
        } catch let error as RPCError {
            print(error)
        }
    }
}
