import Loop
import Protobuf
import RPC
import RPCHTTP2
import Schema
import Testing

@testable import rpcurl

/// X-125: what a contract calls personal does not show up in a tap.
@Suite(.timeLimit(.minutes(5))) struct PersonalTapTests {
    static let pool = DescriptorPool(SchemaFiles.all + RPCFiles.all + WellKnownFiles.all)

    private static var request: BookingV1.ConfirmHoldRequest {
        var request = BookingV1.ConfirmHoldRequest()
        (request.holdId, request.token) = ("hold-1", "canary-token")
        (request.fullName, request.email) = ("Canary Name", "canary@example.com")
        (request.phone, request.subjectName) = ("+62canary", "canary")
        (request.notes, request.idempotencyKey) = ("canary bites", "key-1")
        return request
    }

    private static var response: BookingV1.ConfirmHoldResponse {
        var response = BookingV1.ConfirmHoldResponse()
        response.booking = BookingV1.Booking()
        response.booking?.id = "booking-1"
        (response.manageToken, response.qrToken) = ("canary-manage", "canary-qr")
        return response
    }

    /// What a tap with these flags says about one call.
    private func tapped(_ flags: String...) async throws -> String {
        let router = Router()
        router.handle(BookingV1.HoldsMethods.confirmHold) { call in
            _ = try await call.receiveOnly(as: BookingV1.ConfirmHoldRequest.self)
            try call.sendOnly(Self.response)
        }
        ReflectionService(pool: Self.pool, services: ["janji.booking.v1.Holds"])
            .register(in: router)
        let loop = EventLoop(name: "server")
        let server = RPCServer(router: router)
        let listener = try await server.listen(on: .ipv4(host: "127.0.0.1", port: 0), loop: loop)
        let tap = Running(
            flags + ["tap", ":0", "127.0.0.1:\(listener.address.port ?? 0)"], standardInput: 0,
            environment: [:])
        let channel = try HTTP2Channel(target: await tap.tapAddress(), loop: loop)
        let answer = try await channel.unary(
            BookingV1.HoldsMethods.confirmHold, Self.request.encoded())
        #expect(
            try BookingV1.ConfirmHoldResponse(decoding: answer) == Self.response,
            "what passes is whole")
        channel.close()
        tap.interrupt()
        let said = await tap.result().output
        _ = await server.drain(grace: .seconds(1))
        await loop.stop()
        return said
    }

    @Test("personal fields are hidden, in text and in JSON, the bytes too; the others are shown")
    func hidden() async throws {
        let text = try await tapped()
        for part in [#""holdId":"hold-1""#, #""fullName":"***""#, #""manageToken":"***""#] {
            #expect(text.contains(part), "\(text)")
        }
        #expect(text.contains("booking-1") && !text.lowercased().contains("canary"))
        let lines = try await tapped("-json").split(separator: "\n")
        #expect(lines.count > 3)
        for line in lines {
            #expect(!line.lowercased().contains("canary"))
            guard let message = try JSONValue.parse(Array(line.utf8))["message"]?.string else {
                continue
            }
            let bytes = try #require(MetadataBase64.decode(message.utf8))
            #expect(!String(decoding: bytes, as: UTF8.self).lowercased().contains("canary"))
        }
    }

    @Test("-keep-secrets shows them") func kept() async throws {
        let text = try await tapped("-keep-secrets")
        #expect(text.contains("Canary Name") && text.contains("canary-manage"))
    }

    @Test("lists, maps, nested messages and Any are looked into; what nobody knows goes")
    func nested() throws {
        let detail = try #require(Self.pool.message("google.protobuf.Any"))
        var any = DynamicMessage(detail)
        any["type_url"] = .string("type.googleapis.com/janji.booking.v1.ConfirmHoldRequest")
        any["value"] = .bytes(Self.request.encoded())
        let known = any.redacted(in: Self.pool, PersonalFields.holds)
        guard case .bytes(let content)? = known["value"] else {
            Issue.record("no content")
            return
        }
        let inner = try BookingV1.ConfirmHoldRequest(decoding: content)
        #expect(inner.fullName == "***" && inner.holdId == "hold-1")
        any["type_url"] = .string("type.googleapis.com/no.Such")
        #expect(any.redacted(in: Self.pool, PersonalFields.holds)["value"] == nil)
        var foreign = Self.request
        foreign.unknownFields = try BookingV1.ConfirmHoldRequest(
            decoding: [0xF2, 0x3F, 2, 0x68, 0x69]
        ).unknownFields
        let bytes = try PersonalFields.hidden(
            in: foreign.encoded(), as: BookingV1.ConfirmHoldRequest.schema, Self.pool)
        #expect(try BookingV1.ConfirmHoldRequest(decoding: bytes).unknownFields == UnknownFields())
    }
}
