import Environment
import Loop
import RPC
import Schema
import Testing

@testable import Domain

@Suite struct PublicRateTests {
    private static let writing = MethodDescriptor(
        service: "test.Shop", name: "Buy", kind: .unary, idempotency: .unknown)

    @Test func `X-25: calls inside the process are not counted`() async throws {
        let loop = EventLoop()
        let rate = PublicRate(
            reading: RateLimit(burst: 1, perSecond: 0.001),
            writing: RateLimit(burst: 1, perSecond: 0.001))
        let router = Router(interceptors: [rate])
        router.handle(Self.writing) { call in
            _ = try await call.receiveOnly()
            try call.sendOnly([])
        }
        let channel = InProcessChannel(router: router, loop: loop)
        for _ in 0..<5 {
            _ = try await channel.unary(Self.writing, [], metadata: Metadata(), options: .init())
        }
        await loop.stop()
    }

    @Test(arguments: [
        // A token frees only where Authentication has looked at it; health counts as reading.
        ("janji.booking.v1.Bookings", "Bearer x", 5), ("janji.booking.v1.Bookings", nil, 1),
        ("grpc.health.v1.Health", "Bearer x", 3), ("grpc.health.v1.Health", nil, 3),
    ]) func `X-25: how many calls one address gets`(row: (String, String?, Int)) {
        let rate = PublicRate(
            reading: RateLimit(burst: 3, perSecond: 0.001),
            writing: RateLimit(burst: 1, perSecond: 0.001))
        var metadata = Metadata()
        if let token = row.1 { metadata.add(token, for: "authorization") }
        let method = RegisteredMethod(
            MethodDescriptor(service: row.0, name: "Call", kind: .unary)
        ) { _ in }
        let context = ServerContext(
            method: method, metadata: metadata, deadline: nil, peer: Peer(address: "10.0.0.1:5"))
        let admitted = (0..<5).filter { _ in (try? rate.admit(context)) != nil }
        #expect(admitted.count == row.2)
    }

    @Test(arguments: [
        ("127.0.0.1:5000", "127.0.0.1"), ("[::1]:5000", "[::1]"), ("unix", "unix"),
    ]) func `an address is counted without its port`(row: (String, String)) {
        #expect(PublicRate.host(row.0) == row.1)
    }
}
