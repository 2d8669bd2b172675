// The peer's side of bench/compare/run: verify each case with @phala/dcap-qvl.
// node dcap-qvl.js CORPUS REPEATS <names: "case TAB status word, verdict, microseconds of CPU" to standard output
'use strict';
const fs = require('fs');
const path = require('path');
const { verify } = require('@phala/dcap-qvl');

const corpus = process.argv[2];
const repeats = Number(process.argv[3]);
const names = fs.readFileSync(0, 'utf8').split('\n').filter(Boolean);

function signedObject(text, member) {
    // The exact bytes of the signed object, as a PCS serves them.
    const prefix = `{"${member}":`;
    const end = text.lastIndexOf(',"signature":"');
    if (!text.startsWith(prefix) || end < 0)
        throw new Error('not as a PCS serves it');
    return [text.slice(prefix.length, end), JSON.parse(text).signature];
}

function load(name) {
    const file = (f) => path.join(corpus, name, f);
    const text = (f) => fs.readFileSync(file(f), 'utf8');
    const [tcbInfo, tcbSignature] = signedObject(text('tcb_info.json'), 'tcbInfo');
    const [qeIdentity, qeSignature] = signedObject(text('qe_identity.json'), 'enclaveIdentity');
    return [new Uint8Array(fs.readFileSync(file('quote.bin'))), {
        pck_crl_issuer_chain: text('pck_crl_issuer_chain.pem'),
        root_ca_crl: fs.readFileSync(file('root_ca_crl.der')).toString('hex'),
        pck_crl: fs.readFileSync(file('pck_crl.der')).toString('hex'),
        tcb_info_issuer_chain: text('tcb_signing_chain.pem'),
        tcb_info: tcbInfo,
        tcb_info_signature: tcbSignature,
        qe_identity_issuer_chain: text('tcb_signing_chain.pem'),
        qe_identity: qeIdentity,
        qe_identity_signature: qeSignature,
    }, JSON.parse(text('case.json')).verify_time];
}

for (const name of names) {
    const [quote, collateral, time] = load(name);
    let verdict;
    let best = Infinity;
    for (let i = 0; i < repeats; i++) {
        const start = process.cpuUsage();
        try {
            verdict = verify(quote, collateral, time).status;
        } catch (e) {
            verdict = 'refused';
        }
        const used = process.cpuUsage(start);
        best = Math.min(best, used.user + used.system);
    }
    console.log(`${name}\t${verdict}\t${best.toFixed(1)}`);
}
console.log(`#rss\t${process.resourceUsage().maxRSS}`);
