// The child that runs scripts in Node.js; launch.py becomes it. One question a line, one answer a line.
'use strict';

const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');
const vm = require('node:vm');
const { Console } = require('node:console');
const { Writable } = require('node:stream');
const { createRequire } = require('node:module');

// What scripts can replace is taken before they are loaded.
const { parse, stringify } = JSON;
const { writeSync } = fs;
const { setImmediate: soon } = globalThis;
const exit = process.exit.bind(process);
const { concat, from } = Buffer;

const ASKED = 3;
const ANSWERED = 4;

class WrongUsernameOrPasswordError extends Error {
  constructor(userId, message) {
    super(message);
    this.name = 'WrongUsernameOrPasswordError';
    this.user_id = userId;
  }
}

class ValidationError extends Error {
  constructor(code, message) {
    super(message);
    this.name = 'ValidationError';
    this.code = code;
  }
}

class UnauthorizedError extends Error {
  constructor(message) {
    super(message);
    this.name = 'UnauthorizedError';
  }
}

let configuration = Object.freeze({});
let load = () => undefined;
let current = null;
const scripts = new Map();

function say(id, what) {
  write(`${stringify({ id, ...what })}\n`);
}

function write(text) {
  const line = from(text);
  let sent = 0;
  while (sent < line.length) {
    try {
      sent += writeSync(ANSWERED, line, sent);
    } catch (error) {
      if (error.code !== 'EAGAIN') throw error;
    }
  }
}

function print(text) {
  say(current ? current.id : '', { print: text });
}

const stream = new Writable({
  decodeStrings: false,
  write(chunk, encoding, done) {
    print(String(chunk));
    done();
  },
});
globalThis.console = new Console({ stdout: stream, stderr: stream, colorMode: false });

// --- an answer ------------------------------------------------------------------------------------------------------

function text(value) {
  try {
    return typeof value === 'string' ? value : String(value);
  } catch {
    return 'what was thrown cannot be shown';
  }
}

function fromScript(stack) {
  // Where the script was called from is ours.
  return stack.split('\n').filter((line) => !line.includes(__filename)).join('\n').trimEnd();
}

function refusal(error) {
  const message = text(error instanceof Error || error?.message !== undefined ? error.message : error);
  if (error instanceof WrongUsernameOrPasswordError) {
    return { kind: 'wrong_credentials', message, user_id: error.user_id ? text(error.user_id) : null };
  }
  if (error instanceof ValidationError) return { kind: 'validation', code: text(error.code), message };
  if (error instanceof UnauthorizedError) return { kind: 'unauthorized', message };
  if (error?.stack) print(`${fromScript(text(error.stack))}\n`);
  return { kind: 'error', message };
}

function settle(call, error, values) {
  if (call.settled) {
    // Where its own call is over already, it is read with the next one of this process.
    print(`${call.name}: callback was called again; only the first time counts\n`);
    return;
  }
  call.settled = true;
  let answer;
  try {
    answer = error ? { refusal: refusal(error) } : { value: values[0] ?? null, more: values.slice(1) };
    stringify(answer);
  } catch (unspeakable) {
    answer = { refusal: { kind: 'error', message: `the answer is no JSON: ${text(unspeakable?.message)}` } };
  }
  // Not at once: a second call of the callback in the same breath is still this call's, and is reported.
  soon(() => finish(call, answer));
}

// Scripts that never close what they open are usual. Before the server that they open it to has none left, or this
// process, another takes over: with it goes what it has open.
const MOST_OPEN = 16;

function isCrowded() {
  return process.getActiveResourcesInfo().filter((each) => /^(TCPSocket|Pipe|TLS)Wrap$/.test(each)).length > MOST_OPEN;
}

function finish(call, answer) {
  if (current !== call) return;
  say(call.id, isCrowded() ? { answer, last: true } : { answer });
  current = null;
  asked.ref();
}

function fail(error) {
  // Thrown where nobody catches it: nobody knows what it left half done, so this process is not used again. Nor which
  // call it is of: one that was answered long ago must give no verdict on whoever asks now. The call that is open is
  // not made again, since what it has done already may be done only once.
  const call = current;
  if (call) {
    const { message } = refusal(error);
    say(call.id, { answer: { refusal: { kind: 'error', message } }, last: true });
  }
  exit(1);
}
process.on('uncaughtException', fail);
process.on('unhandledRejection', fail);
process.on('beforeExit', () => {
  // Nothing is left that could call back: why wait until the time is up?
  if (current && !current.settled) {
    // Nor is it used again: whoever is told so late has to be told by another.
    say(current.id, { failed: 'it ended and never called back' });
    exit(1);
  }
});

// --- a question -----------------------------------------------------------------------------------------------------

// What a script's function is called where it is not the only one: as the script is, or else as Auth0's templates call it.
const CALLED = {
  login: ['login', 'loginByEmail'],
  get_user: ['get_user', 'getUser', 'getByEmail'],
  create: ['create'],
  verify: ['verify'],
  change_password: ['change_password', 'changePassword'],
  delete: ['remove', 'deleteUser'],
  change_email: ['change_email', 'changeEmail'],
  change_username: ['change_username', 'changeUsername'],
  change_phone_number: ['change_phone_number', 'changePhoneNumber'],
};
const WORD = /[\p{ID_Start}$_][\p{ID_Continue}$]*/gu;

function body(text, name, given) {
  const options = { filename: `${name}.js` };
  if (vm.constants?.USE_MAIN_CONTEXT_DEFAULT_LOADER) {
    options.importModuleDynamically = vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER;
  }
  const made = vm.compileFunction(text, Object.keys(given), options);
  return () => made(...Object.values(given));
}

function compiled(source, name) {
  const classes = { WrongUsernameOrPasswordError, ValidationError, UnauthorizedError };
  const given = { configuration, global: globalThis, require: load, ...classes };
  let outer;
  try {
    outer = body(`return (${source.replace(/[\s;]+$/, '')}\n);`, name, given);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return chosen(source, name, given, error);
  }
  const found = outer();
  if (typeof found !== 'function') throw new TypeError('the script must be a function');
  return found;
}

// Of several functions none is guessed at: a helper that finds somebody by their address, called as login, would let
// everybody in without a password.
function chosen(source, name, given, notOne) {
  const words = new Set(source.match(WORD));
  const before = new Map([...words].map((each) => [each, quietly(() => globalThis[each])]));
  let own = () => undefined;
  let outer;
  try {
    // Only from within can be seen what it declares itself, and not what stands in a comment or in another function.
    const look = `${source}\n;keysteadLooks(function () { return eval(arguments[0]); });`;
    outer = body(look, name, { ...given, keysteadLooks: (each) => { own = each; } });
  } catch {
    throw notOne;
  }
  outer();
  const theirs = new Set(Object.values(given));
  const declared = (each) => {
    const value = words.has(each) ? quietly(() => own(each)) : undefined;
    return typeof value === 'function' && value !== before.get(each) && !theirs.has(value) ? [value] : [];
  };
  const [first, ...others] = CALLED[name];
  for (const names of [[first], others, [...words]]) {
    const [found, another] = new Set(names.flatMap(declared));
    if (another) break;
    if (found) return found;
  }
  throw new SyntaxError(`the script must be one function, or have one called ${first}`);
}

function quietly(read) {
  try {
    return read();
  } catch {
    return undefined;
  }
}

function isAnswer(value) {
  if (value === undefined) return false;
  if (value === null || typeof value !== 'object') return true;
  const kind = Object.getPrototypeOf(value);
  return kind === null || kind === Object.prototype || Array.isArray(value);
}

function run(question) {
  const call = { id: question.id, name: question.name, settled: false };
  current = call;
  asked.unref();
  try {
    if (!scripts.has(question.digest)) scripts.set(question.digest, compiled(question.source, question.name));
    const given = 'context' in question ? [...question.arguments, question.context] : question.arguments;
    const script = scripts.get(question.digest);
    const callback = (error, ...values) => settle(call, error, values);
    const returned = script(...given, callback);
    if (typeof returned?.then !== 'function') return;
    // A function that takes a callback may return what it only happens to have, such as a query under way.
    const takesCallback = script.length > given.length;
    returned.then(
      (value) => {
        if (!call.settled && (takesCallback ? isAnswer(value) : true)) settle(call, null, [value]);
      },
      (error) => {
        if (!call.settled) settle(call, error ?? new Error('rejected without a reason'), []);
      },
    );
  } catch (error) {
    settle(call, error ?? new Error('something empty was thrown'), []);
  }
}

// --- modules --------------------------------------------------------------------------------------------------------

const PINNED = /^((?:@[^/@]+\/)?[^/@]+)@([^/]+)(\/.*)?$/;

function requireFrom(directory) {
  const plain = createRequire(path.join(directory, 'scripts.js'));
  const patched = new WeakSet();
  return (name) => {
    const found = resolved(plain, directory, String(name));
    return withConnect(found, String(name), patched);
  };
}

function resolved(plain, directory, name) {
  const pinned = PINNED.exec(name);
  if (!pinned) return plain(name);
  const [, module, version, rest = ''] = pinned;
  for (const alias of [`${module}@${version}`, `${module}-${version}`]) {
    if (fs.existsSync(path.join(directory, 'node_modules', alias))) return plain(`${alias}${rest}`);
  }
  const about = path.join(directory, 'node_modules', module, 'package.json');
  if (!fs.existsSync(about)) return plain(`${module}${rest}`);
  const installed = parse(fs.readFileSync(about, 'utf8')).version;
  if (installed.split('.')[0] === version.replace(/^[^0-9]*/, '').split('.')[0]) return plain(`${module}${rest}`);
  throw new Error(
    `${name} is asked for and ${installed} is installed: npm install ${module}-${version}@npm:${module}@${version}`,
  );
}

// pg has had no connect of its own since version 7, which scripts of that time call: a pool for each database.
function withConnect(module, name, patched) {
  if (!/^pg(@|$)/.test(name) || typeof module?.Pool !== 'function' || typeof module.connect === 'function') return module;
  if (patched.has(module)) return module;
  patched.add(module);
  const pools = new Map();
  module.connect = (where, callback) => {
    const key = typeof where === 'string' ? where : stringify(where);
    if (!pools.has(key)) {
      const pool = new module.Pool(typeof where === 'string' ? { connectionString: where } : where);
      pool.on('error', () => undefined); // a connection that was lost while nobody used it
      pools.set(key, pool);
    }
    pools.get(key).connect(callback);
  };
  return module;
}

// --- the loop -------------------------------------------------------------------------------------------------------

const asked = new net.Socket({ fd: ASKED, readable: true, writable: false });
let pieces = [];
let begun = false;

function begin(first) {
  configuration = Object.freeze(first.configuration);
  load = requireFrom(first.place || '/nowhere');
  begun = true;
  write('{"ready":true}\n');
}

asked.on('data', (chunk) => {
  let rest = chunk;
  for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
    const line = concat([...pieces, rest.subarray(0, end)]).toString('utf8');
    pieces = [];
    rest = rest.subarray(end + 1);
    if (begun) run(parse(line));
    else begin(parse(line));
  }
  if (rest.length) pieces.push(rest);
});
asked.on('end', () => exit(0));
asked.on('error', () => exit(0));
