import Crypto
import Environment
import Loop
import Protobuf
import RPC
import Schema
import Telemetry
import Testing

@testable import Domain

/// Who gets through to which RPC: the table of the contracts against the running interceptor.
struct AccessTests {
    static let contracts = DescriptorPool(SchemaFiles.all + RPCFiles.all + WellKnownFiles.all)
    static let key = Keys.key("current")

    /// Every RPC of the contracts with its declared access.
    static let methods: [(path: String, access: CommonV1.Access)] = contracts.services.flatMap {
        service in
        service.methods.map { method in
            let value = method.options.varint(extension: 50001).map { Int32($0) }
            return (
                "/\(service.fullName)/\(method.name)",
                CommonV1.Access(rawValue: value ?? 0)
            )
        }
    }

    @Test("X-19: every RPC of ours states who may call it")
    func everyRPCStatesIt() {
        let ours = Self.methods.filter { $0.path.hasPrefix("/janji.") }
        #expect(ours.count >= 20)
        for method in ours {
            #expect(
                [.public, .admin, .service].contains(method.access), "\(method.path) says nothing")
        }
    }

    @Test(
        "X-19: the table, for anonymous, admin and service callers",
        arguments: [
            ("/janji.booking.v1.Bookings/RegisterCourse", CommonV1.Access.public),
            ("/janji.booking.v1.Bookings/GetBooking", .admin),
            ("/janji.booking.v1.Bookings/ListPending", .admin),
            ("/janji.booking.v1.Bookings/Confirm", .admin),
            ("/janji.booking.v1.Bookings/AssignSlot", .admin),
            ("/janji.booking.v1.Bookings/Reject", .admin),
            ("/janji.booking.v1.Bookings/Cancel", .admin),
            ("/janji.booking.v1.Availability/FindSlots", .public),
            ("/janji.booking.v1.Availability/GetByInstructor", .public),
            ("/janji.booking.v1.Availability/Watch", .public),
            ("/janji.booking.v1.Inventory/PublishOffering", .service),
            ("/janji.booking.v1.Inventory/PublishSlots", .service),
            ("/janji.booking.v1.Inventory/CheckConflicts", .service),
            ("/janji.booking.v1.Bookings/Unheard", .service),
            ("/grpc.health.v1.Health/Check", .public),
        ])
    func table(_ path: String, _ access: CommonV1.Access) {
        #expect(AccessPolicy(Self.contracts).access(to: path) == access)
    }

    @Test("D-21, X-19: every RPC called as anonymous, admin and service answers as declared")
    func generated() async throws {
        let policy = AccessPolicy(Self.contracts)
        let router = Router(
            interceptors: [Authentication(policy: policy, keys: [Self.key])],
            logger: Logger(label: "test", sink: LogCapture().sink))
        for (path, _) in Self.methods {
            let parts = path.split(separator: "/").map(String.init)
            router.handle(
                MethodDescriptor(
                    service: parts[0], name: parts[1], kind: .unary, idempotency: .unknown)
            ) { call in
                _ = try await call.receiveOnly()
                try call.sendOnly(Array(call.context.principal.actor.utf8))
            }
        }
        let bare = InProcessChannel(router: router, loop: Bench.loop)
        let tokens = ServiceTokens(issuer: "test", key: Self.key)
        let callers: [(Principal, any Channel)] =
            [(.anonymous, bare)]
            + [Principal.anonymous, .admin(id: "7"), .service(name: "schedule")].map {
                (
                    $0,
                    InterceptedChannel(
                        bare, interceptors: [ServiceCredentials(tokens: tokens, principal: $0)])
                )
            }
        for (path, declared) in Self.methods {
            let isChannelz = path.hasPrefix("/grpc.channelz.")
            let isOurs = path.hasPrefix("/janji.") || isChannelz
            let declared = isChannelz ? .admin : declared
            for (principal, channel) in callers {
                let outcome = await call(path, channel)
                // Who asks for health or reflection is not looked at.
                #expect(
                    outcome == (isOurs ? expected(declared, principal) : "public"),
                    "\(path) declared \(declared) as \(principal)")
            }
        }
    }

    private func expected(_ access: CommonV1.Access, _ principal: Principal) -> String {
        let isAllowed =
            switch (access, principal) {
            case (.public, _), (.admin, .admin), (.service, .service): true
            default: false
            }
        if isAllowed { return principal.actor }
        return principal == .anonymous ? "UNAUTHENTICATED" : "PERMISSION_DENIED"
    }

    private func call(_ path: String, _ channel: any Channel) async -> String {
        let parts = path.split(separator: "/").map(String.init)
        let method = MethodDescriptor(
            service: parts[0], name: parts[1], kind: .unary, idempotency: .unknown)
        do {
            let answer = try await channel.unary(
                method, [], metadata: Metadata(), options: CallOptions())
            return String(decoding: answer, as: UTF8.self)
        } catch {
            return RPCError(wrapping: error).code.name
        }
    }
}

enum Keys {
    static func key(_ id: String, fill: UInt8 = 7) -> JSONWebTokenKey {
        guard let key = JSONWebTokenKey(id: id, secret: [UInt8](repeating: fill, count: 32)) else {
            fatalError("32 bytes are enough for a key")
        }
        return key
    }
}
