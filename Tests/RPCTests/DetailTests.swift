import Protobuf
import RPC
import Testing

@Suite("google.rpc.Status details, typed", .timeLimit(.minutes(5)))
struct DetailTests {
    @Test("written in one line each, read in one line each, through a call")
    func typed() async throws {
        let bed = Bed { _ in
            throw RPCError(.invalidArgument, "two fields are wrong")
                .with(GoogleRpc.ErrorInfo("BAD_FIELDS", in: "school", metadata: ["n": "2"]))
                .with(GoogleRpc.BadRequest(["name": "is required", "age": "is negative"]))
                .with(GoogleRpc.RetryInfo(after: .milliseconds(1500)))
        }
        let error = try #require(await failure { _ = try await bed.unary() })
        #expect(error.errorInfo?.reason == "BAD_FIELDS")
        #expect(error.errorInfo?.metadata == ["n": "2"])
        #expect(error.badRequest?.fieldViolations.map(\.field) == ["name", "age"])
        #expect(error.retryDelay == .milliseconds(1500))
        #expect(error.help == nil)
        #expect(error.detail(GoogleRpc.QuotaFailure.self) == nil)
    }

    @Test("the description shows known details as JSON and others by type and size")
    func description() {
        let error = RPCError(
            .notFound, "gone",
            details: [
                .init(typeURL: "type.googleapis.com/no.such.Type", value: [1, 2]),
                .init(typeURL: "type.googleapis.com/google.rpc.RetryInfo", value: [0xff]),
            ]
        ).with(GoogleRpc.RetryInfo(after: .seconds(3)))
        #expect(
            error.description == "NOT_FOUND: gone; no.such.Type of 2 bytes; "
                + "google.rpc.RetryInfo of 1 bytes; google.rpc.RetryInfo {\"retryDelay\":\"3s\"}")
        // What does not decode is as good as absent; the next of the type counts.
        #expect(error.retryDelay == .seconds(3))
    }
}
