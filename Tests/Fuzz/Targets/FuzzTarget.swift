/// One entrance for the bytes of strangers, and what must hold whatever they are.
///
/// `deploy/fuzz` looks for inputs that break it with libFuzzer; FuzzTests runs the saved corpus
/// through the same function.
package struct FuzzTarget: Sendable, CustomStringConvertible {
    /// Also the name of its folder in Tests/Fuzz/Corpus.
    package let name: String
    private let check: @Sendable (inout FuzzInput) throws -> Void

    init(_ name: String, _ check: @escaping @Sendable (inout FuzzInput) throws -> Void) {
        self.name = name
        self.check = check
    }

    package static let all: [FuzzTarget] = [
        .protobufMessage, .descriptorPool, .protoJSON, .jsonValue, .messageQueue, .decompression,
        .http2Server, .http2Client, .grpcTimeout, .statusMessage, .base64, .http1Request,
        .http1Response, .webSocket,
    ]

    package var description: String { name }

    /// - Throws: `FuzzFinding` when something does not hold.
    package func run(_ bytes: UnsafeRawBufferPointer) throws {
        var input = FuzzInput(bytes)
        try check(&input)
    }
}

/// What does not hold.
package struct FuzzFinding: Error, CustomStringConvertible {
    package let description: String
}

func require(_ holds: Bool, _ what: @autoclosure () -> String) throws(FuzzFinding) {
    if !holds { throw FuzzFinding(description: what()) }
}

/// The value of something that must not fail.
func must<Value>(_ what: String, _ body: () throws -> Value) throws(FuzzFinding) -> Value {
    do {
        return try body()
    } catch {
        throw FuzzFinding(description: "\(what): \(error)")
    }
}

/// A result that two ways of doing the same can be compared by.
func outcome<Value, Failure: Error>(
    _ body: () throws(Failure) -> Value
) -> Result<Value, Failure> {
    do {
        return .success(try body())
    } catch {
        return .failure(error)
    }
}
