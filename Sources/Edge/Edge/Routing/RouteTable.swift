import HTTP1
import Protobuf
import Schema

/// Every route of every service, read from `google.api.http`: a trie by path segment.
///
/// A fixed segment goes before `*`, and `*` before `**`; a later rule for the same method and path
/// replaces an earlier one (http.proto).
struct RouteTable: Sendable {
    enum Match: Sendable {
        case found(Route)
        /// The path exists with these methods only.
        case otherMethods([HTTPMethod])
        case none
    }

    private struct Node {
        var literals: [String: Int] = [:]
        var one: Int?
        var rest: Int?
        /// By verb, "" without one.
        var routes: [String: [HTTPMethod: Route]] = [:]
    }

    private var nodes = [Node()]
    private var verbs: Set<String> = []
    private(set) var routes: [Route] = []

    /// Reads the routes of all services of a pool. RPCs that only services may call have none.
    /// Errors: `.schema` when a rule is malformed or does not fit its messages.
    init(_ pool: DescriptorPool) throws(ProtobufError) {
        for service in pool.services {
            for method in service.methods {
                for bytes in method.options.bytes(extension: ContractOptions.http) {
                    let rule = try GoogleApi.HttpRule(decoding: bytes)
                    try add(method, service: service.fullName, rule)
                    for other in rule.additionalBindings {
                        try add(method, service: service.fullName, other)
                    }
                }
            }
        }
    }

    private mutating func add(
        _ method: MethodSchema, service: String, _ rule: GoogleApi.HttpRule
    ) throws(ProtobufError) {
        let (httpMethod, path): (HTTPMethod?, String) =
            switch rule.pattern {
            case .get(let path)?: (.get, path)
            case .put(let path)?: (.put, path)
            case .post(let path)?: (.post, path)
            case .delete(let path)?: (.delete, path)
            case .patch(let path)?: (.patch, path)
            case .custom(let custom)?: (HTTPMethod(rawValue: custom.kind), custom.path)
            case nil: (nil, "")
            }
        guard let httpMethod else {
            throw ProtobufError(.schema, "\(method.fullName): the route has no known method")
        }
        let route = try Route(method, service: service, httpMethod, path, rule: rule)
        guard route.access == .public || route.access == .admin, !method.clientStreaming else {
            return
        }
        insert(route)
    }

    private mutating func insert(_ route: Route) {
        var node = 0
        for segment in route.template.segments {
            node = child(of: node, segment)
        }
        let verb = route.template.verb ?? ""
        if !verb.isEmpty { verbs.insert(verb) }
        nodes[node].routes[verb, default: [:]][route.httpMethod] = route
        routes.append(route)
    }

    private mutating func child(of parent: Int, _ segment: PathTemplate.Segment) -> Int {
        let known: Int? =
            switch segment {
            case .literal(let text): nodes[parent].literals[text]
            case .one: nodes[parent].one
            case .rest: nodes[parent].rest
            }
        if let known { return known }
        let new = nodes.count
        nodes.append(Node())
        switch segment {
        case .literal(let text): nodes[parent].literals[text] = new
        case .one: nodes[parent].one = new
        case .rest: nodes[parent].rest = new
        }
        return new
    }

    /// Finds the route of decoded path segments.
    func match(_ method: HTTPMethod, _ segments: [String]) -> Match {
        let wanted = method == .head ? HTTPMethod.get : method
        var search = Search(method: wanted)
        if let last = segments.last, let colon = last.lastIndex(of: ":") {
            let verb = String(last[last.index(after: colon)...])
            if verbs.contains(verb) {
                var plain = segments
                plain[plain.count - 1] = String(last[..<colon])
                visit(0, plain[...], verb, &search)
            }
        }
        if search.route == nil { visit(0, segments[...], "", &search) }
        if let route = search.route { return .found(route) }
        return search.others.isEmpty
            ? .none : .otherMethods(search.others.sorted { $0.rawValue < $1.rawValue })
    }

    private struct Search {
        let method: HTTPMethod
        var route: Route?
        var others: Set<HTTPMethod> = []
    }

    /// Depth first in order of preference; a path that fits without the method is remembered.
    private func visit(
        _ index: Int, _ segments: ArraySlice<String>, _ verb: String, _ search: inout Search
    ) {
        let node = nodes[index]
        if let segment = segments.first {
            let rest = segments.dropFirst()
            if let next = node.literals[segment] { visit(next, rest, verb, &search) }
            if search.route == nil, let next = node.one, !segment.isEmpty {
                visit(next, rest, verb, &search)
            }
        } else {
            take(node, verb, &search)
        }
        if search.route == nil, let next = node.rest { take(nodes[next], verb, &search) }
    }

    private func take(_ node: Node, _ verb: String, _ search: inout Search) {
        guard let routes = node.routes[verb], search.route == nil else { return }
        if let route = routes[search.method] {
            search.route = route
        } else {
            search.others.formUnion(routes.keys)
            if routes[.get] != nil { search.others.insert(.head) }
        }
    }
}
