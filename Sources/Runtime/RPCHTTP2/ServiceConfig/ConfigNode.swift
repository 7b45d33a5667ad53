import Protobuf
import RPC

/// One value of a service config with the path to it, so that every refusal names the place.
struct ConfigNode {
    let value: JSONValue
    let path: String

    func refuse(_ why: String) -> RPCError {
        RPCError(
            .invalidArgument, "service config: \(path.isEmpty ? "" : "\(path): ")\(why)",
            blame: .caller)
    }

    /// The members of an object, all of whose names must be known.
    func members(_ known: Set<String>) throws -> [String: ConfigNode] {
        guard case .object(let members) = value else { throw refuse("an object is expected") }
        var nodes: [String: ConfigNode] = [:]
        for (key, value) in members {
            let node = ConfigNode(value: value, path: path.isEmpty ? key : "\(path).\(key)")
            guard known.contains(key) else { throw node.refuse("there is no such field") }
            // As in ProtoJSON, null is absent.
            if !value.isNull { nodes[key] = node }
        }
        return nodes
    }

    func elements() throws -> [ConfigNode] {
        guard let list = value.array else { throw refuse("a list is expected") }
        return list.enumerated().map { index, value in
            ConfigNode(value: value, path: "\(path)[\(index)]")
        }
    }

    func string() throws -> String {
        guard let text = value.string else { throw refuse("a string is expected") }
        return text
    }

    func bool() throws -> Bool {
        guard let flag = value.bool else { throw refuse("true or false is expected") }
        return flag
    }

    func number() throws -> Double {
        guard let number = value.double, number.isFinite else {
            throw refuse("a number is expected")
        }
        return number
    }

    /// ProtoJSON writes 64-bit integers as strings; both are taken.
    func integer(_ range: ClosedRange<Int>) throws -> Int {
        guard let number = value.integer ?? value.string.flatMap({ Int64($0) }),
            let number = Int(exactly: number)
        else { throw refuse("an integer is expected") }
        guard range.contains(number) else {
            throw refuse(
                range.upperBound == .max
                    ? "at least \(range.lowerBound) is expected"
                    : "\(range.lowerBound) to \(range.upperBound) is expected")
        }
        return number
    }

    /// `"1.5s"`, as ProtoJSON writes google.protobuf.Duration.
    func duration(positive: Bool) throws -> Duration {
        let text = try string()
        let parts = text.dropLast().split(
            separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard text.hasSuffix("s"), let whole = parts.first, let seconds = digits(whole),
            seconds <= 315_576_000_000, let nanoseconds = fraction(parts.dropFirst().first)
        else { throw refuse("a duration like \"1.5s\" is expected") }
        let duration = Duration.seconds(seconds) + .nanoseconds(nanoseconds)
        if positive, duration <= .zero { throw refuse("more than 0s is expected") }
        return duration
    }

    private func digits(_ text: Substring) -> Int64? {
        guard !text.isEmpty, text.utf8.allSatisfy({ $0 >= 0x30 && $0 <= 0x39 }) else { return nil }
        return Int64(text)
    }

    private func fraction(_ text: Substring?) -> Int64? {
        guard let text else { return 0 }
        guard text.utf8.count <= 9, let value = digits(text) else { return nil }
        return (text.utf8.count..<9).reduce(value) { value, _ in value * 10 }
    }

    /// A status code by name or number, not OK.
    func statusCode() throws -> RPCError.Code {
        let code: RPCError.Code? =
            if let name = value.string {
                RPCError.Code(name: name)
            } else {
                value.integer.flatMap { (1...16).contains($0) ? .init(rawValue: Int32($0)) : nil }
            }
        guard let code, code != .ok else {
            throw refuse("a status code other than OK is expected, for example \"UNAVAILABLE\"")
        }
        return code
    }
}
